// Networks over NumPy arrays, and the streams of stream.h. elman.runtime checks and converts what users pass; here
// every size is checked once more before the engine is handed a pointer.
#include "elman/network.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "bindings/arrays.h"
#include "bindings/buffer.h"
#include "bindings/module.h"
#include "bindings/places.h"
#include "bindings/released.h"
#include "bindings/sizes.h"
#include "bindings/stream.h"

namespace {

// (weight_ih, weight_hh or None, bias_ih or None, bias_hh or None)
template <class T>
elman::Weights<T> weights(nb::tuple arrays, std::int64_t gates) {
  // no conversion: a temporary array would be gone before the weights are packed
  const auto input = nb::cast<Array<const T>>(arrays[0], false);
  const auto optional = [&](int i) { return nb::cast<std::optional<Array<const T>>>(arrays[i], false); };
  require(input.ndim() == 2 && is_contiguous(input) && length(input.shape(0)) % gates == 0,
          "weight_ih: expected a contiguous matrix of gates * hidden_size rows");
  const std::int64_t rows = length(input.shape(0)), units = rows / gates;
  return {length(input.shape(1)),
          units,
          input.data(),
          contiguous(optional(1), rows * units, "weight_hh: expected (gates * hidden_size, hidden_size)"),
          contiguous(optional(2), rows, "bias_ih: expected (gates * hidden_size,)"),
          contiguous(optional(3), rows, "bias_hh: expected (gates * hidden_size,)")};
}

// `programs`, one a layer, or none: then the cell is `cell`.
template <class T>
void make(elman::Network<T>* self, nb::list layers, int directions, elman::Cell cell,
          const std::vector<const elman::Program*>& programs, bool residual,
          const std::optional<Array<const T>>& start) {
  const bool own = !programs.empty();
  const int gates = own ? programs[0]->text().gates : elman::sizes(cell).gates;
  const int states = own ? programs[0]->text().states : elman::sizes(cell).states;
  const std::size_t unit_inputs = own ? static_cast<std::size_t>(programs[0]->text().unit_inputs) : 0;
  std::vector<elman::Weights<T>> all;
  std::vector<std::vector<const T*>> of_units;
  std::int64_t units = 0;
  for (nb::handle each : layers) {
    const auto arrays = nb::cast<nb::tuple>(each);
    require(arrays.size() == 4 + unit_inputs, "layers: expected four weights and what the program reads by unit");
    all.push_back(weights<T>(arrays, gates));
    units += all.back().hidden_size;
    std::vector<const T*>& inputs = of_units.emplace_back();
    for (std::size_t i = 4; i < arrays.size(); ++i) {
      const auto array = nb::cast<Array<const T>>(arrays[i], false);
      inputs.push_back(
          contiguous(std::optional(array), all.back().hidden_size, "unit input: expected a number a unit"));
    }
  }
  require(!all.empty() && directions > 0 && all.size() % static_cast<std::size_t>(directions) == 0,
          "layers: expected one or more, with the weights of every direction");
  const int count = static_cast<int>(all.size()) / directions;
  require(!own || length(programs.size()) == count, "programs: expected one for each layer");
  const T* of_start = contiguous(start, states * units, "start: expected a state of every layer");
  std::vector<const T* const*> unit_pointers;
  unit_pointers.reserve(of_units.size());
  for (const std::vector<const T*>& inputs : of_units) unit_pointers.push_back(inputs.data());
  const Released released;
  new (self) elman::Network<T>(all.data(), count, directions, cell,
                               {.start = of_start,
                                .residual = residual,
                                .programs = own ? programs.data() : nullptr,
                                .unit_inputs = unit_pointers.data()});
}

template <class T>
void make_network(elman::Network<T>* self, nb::typed<nb::list, nb::object> layers, int directions, elman::Cell cell,
                  bool residual, std::optional<Array<const T>> start) {
  make<T>(self, layers, directions, cell, {}, residual, start);
}

template <class T>
void make_own_network(elman::Network<T>* self, nb::typed<nb::list, nb::object> layers, int directions,
                      nb::typed<nb::list, elman::Program> programs, bool residual,
                      std::optional<Array<const T>> start) {
  std::vector<const elman::Program*> all;
  for (nb::handle program : programs) all.push_back(nb::cast<const elman::Program*>(program, false));
  require(!all.empty() && std::find(all.begin(), all.end(), nullptr) == all.end(),
          "programs: expected one for each layer");
  make<T>(self, layers, directions, elman::Cell::tanh, all, residual, start);
}

// (steps, batch, features), or packed (rows, features).
template <class T>
elman::Rows<T> rows(const Array<T>& array) {
  const std::size_t last = array.ndim() - 1;
  return {array.data(), last == 2 ? array.stride(0) : 0, array.stride(last - 1), array.stride(last)};
}

using PlaceNumbers = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// A tuple of h and the further states, of `size` elements each; null for what is not given.
using Tuple = std::optional<nb::typed<nb::tuple, nb::object, nb::ellipsis>>;

template <class T>
struct States {
  T* hidden = nullptr;
  std::vector<T*> cells;

  States(const Tuple& arrays, int count, std::int64_t size, const char* message) {
    if (!arrays) return;
    require(length(arrays->size()) == count, message);
    for (std::size_t i = 0; i < arrays->size(); ++i) {
      const auto array = nb::cast<Array<T>>((*arrays)[i], false);
      require(length(array.size()) == size && is_contiguous(array), message);
      if (i == 0) {
        hidden = array.data();
      } else {
        cells.push_back(array.data());
      }
    }
  }
};

template <class T>
void run(const elman::Network<T>& network, Array<const T> input, std::optional<BatchSizes> batch_sizes,
         const Tuple& initial, Array<T> output, const Tuple& final, const std::optional<PlaceNumbers>& places) {
  const bool packed = batch_sizes.has_value();
  const std::int64_t width = network.output_size();
  require(packed || !places, "places: expected batch_sizes beside them");
  require(input.ndim() == (packed && !places ? 2 : 3) && output.ndim() == input.ndim(),
          "input: expected other dimensions");
  for (std::size_t i = 0; i + 1 < input.ndim(); ++i) {
    require(input.shape(i) == output.shape(i), "output: expected as many rows as the input has");
  }
  const std::size_t last = input.ndim() - 1;
  require(length(input.shape(last)) == network.input_size(), "input: expected input_size features");
  require(length(output.shape(last)) == width && output.stride(last) == 1, "output: expected other features");

  elman::Sequence sequence{length(input.shape(0)), last == 2 ? length(input.shape(1)) : 1, nullptr, false};
  std::int64_t all_rows = sequence.steps * sequence.batch;
  std::vector<std::int64_t> sizes;
  Places among;
  if (batch_sizes && places) {
    sizes.assign(batch_sizes->data(), batch_sizes->data() + batch_sizes->size());
    const std::int64_t left = rows_left(sizes, all_rows);
    require(!sizes.empty() && left >= 0 && length(places->shape(0)) == sizes.front() && places->shape(1) == 2,
            "places: expected a step and a row for each packed sequence");
    among = Places(places->data(), sizes, sequence.steps, sequence.batch);
    all_rows -= left;
  } else if (batch_sizes) {
    sizes = checked_copy(*batch_sizes, all_rows);
  }
  if (packed) sequence = {length(sizes.size()), sizes.empty() ? 0 : sizes.front(), sizes.data(), false};
  const std::int64_t size = sequence.batch * network.state_size();
  const States<const T> before(initial, network.states(), size, "initial: expected other sizes");
  const States<T> after(final, network.states(), size, "final: expected other sizes");
  // several further states lie behind one another for the engine
  std::vector<T> cells_before, cells_after;
  if (network.states() > 2) {
    for (const T* state : before.cells) cells_before.insert(cells_before.end(), state, state + size);
    cells_after.resize(after.cells.size() * static_cast<std::size_t>(size));
  }
  const bool together = network.states() > 2;
  elman::Rows<const T> from = rows(input);
  elman::Rows<T> to = rows(output);
  from.places = to.places = among.data();
  const typename elman::Network<T>::Run call{
      .sequence = sequence,
      .threads = threads.load(std::memory_order_relaxed),
      .input = from,
      .initial_states = before.hidden,
      .output = to,
      .final_states = after.hidden,
      .initial_cell_states = before.cells.empty() ? nullptr
                             : together           ? cells_before.data()
                                                  : before.cells[0],
      .final_cell_states = after.cells.empty() ? nullptr
                           : together          ? cells_after.data()
                                               : after.cells[0],
  };
  const ReleasedIf released(is_worth_the_gil(multiplications(network, all_rows, 1)));
  network.run(call);
  among.fill_padding(to, width, call.threads);
  for (std::size_t i = 0; together && i < after.cells.size(); ++i) {
    std::copy_n(call.final_cell_states + static_cast<std::int64_t>(i) * size, size, after.cells[i]);
  }
}

// The common call of elman.runtime's networks: arrays that the engine can read as they are. (output, h_n), of an LSTM
// (output, (h_n, c_n)), or None for all else, which is left to Python to convert or refuse.
template <class T>
nb::object run_plain(const elman::Network<T>& network, nb::handle x, nb::handle h_0, bool batch_first) {
  if (!network.is_even() || network.states() > 2) return nb::none();  // their states are other arrays
  const bool has_cells = network.states() == 2;
  nb::handle given[2] = {h_0, nullptr};
  if (has_cells && !h_0.is_none()) {
    if (!h_0.type().is(&PyTuple_Type) || PyTuple_GET_SIZE(h_0.ptr()) != 2) return nb::none();
    for (int i = 0; i < 2; ++i) given[i] = PyTuple_GET_ITEM(h_0.ptr(), i);
  }
  // subclasses too are left: a masked array has more to say than its buffer
  if (!x.type().is(numpy->ndarray)) return nb::none();
  const Buffer from(x, false);
  const int dimensions = from.dimensions(), last = dimensions - 1;
  if (!from.holds<T>() || (dimensions != 3 && dimensions != 2) || from.size(last) != network.input_size()) {
    return nb::none();
  }
  const bool batched = dimensions == 3;
  const int by_step = batched && batch_first ? 1 : 0, by_row = 1 - by_step;
  const std::int64_t steps = from.size(by_step), batch = batched ? from.size(by_row) : 1;
  const std::int64_t width = network.output_size(), units = network.hidden_size(0);
  const std::int64_t states = network.layers() * network.directions();
  if (steps == 0 || batch == 0) return nb::none();
  std::optional<Buffer> given_buffers[2];
  const T* initial[2] = {nullptr, nullptr};
  for (int i = 0; i < (h_0.is_none() ? 0 : has_cells ? 2 : 1); ++i) {
    if (!given[i].type().is(numpy->ndarray)) return nb::none();
    const Buffer& state = given_buffers[i].emplace(given[i], false);
    const bool fits = state.holds<T>() && state.is_contiguous() && state.dimensions() == dimensions &&
                      state.size(0) == states && (!batched || state.size(1) == batch) && state.size(last) == units;
    if (!fits) return nb::none();
    initial[i] = state.data<const T>();
  }
  const nb::object& dtype = numpy->dtype<T>();
  const auto empty = [&](auto... sizes) { return numpy->empty(nb::make_tuple(sizes...), dtype); };
  const nb::object output = batched ? empty(from.size(0), from.size(1), width) : empty(steps, width);
  const auto empty_states = [&] { return batched ? empty(states, batch, units) : empty(states, units); };
  const nb::object h_n = empty_states(), c_n = has_cells ? empty_states() : nb::none();
  const Buffer to(output, true), final(h_n, true);
  std::optional<Buffer> final_cells;
  if (has_cells) final_cells.emplace(c_n, true);
  {
    const ReleasedIf released(is_worth_the_gil(multiplications(network, steps, batch)));
    network.run({
        .sequence = {steps, batch, nullptr, false},
        .threads = threads.load(std::memory_order_relaxed),
        .input = {from.data<const T>(), from.stride<T>(by_step), batched ? from.stride<T>(by_row) : 0,
                  from.stride<T>(last)},
        .initial_states = initial[0],
        .output = {to.data<T>(), to.stride<T>(by_step), batched ? to.stride<T>(by_row) : 0, 1},
        .final_states = final.data<T>(),
        .initial_cell_states = initial[1],
        .final_cell_states = final_cells ? final_cells->data<T>() : nullptr,
    });
  }
  return has_cells ? nb::make_tuple(output, nb::make_tuple(h_n, c_n)) : nb::make_tuple(output, h_n);
}

template <class T>
void define(nb::module_& m, const char* network, const char* stream) {
  nb::class_<elman::Network<T>>(m, network, "A stack of layers, packed once: elman::Network of elman/network.h.")
      .def("__init__", &make_network<T>, "layers"_a, "directions"_a, "cell"_a, "residual"_a = false,
           "start"_a.noconvert().none() = nb::none(),
           "A tuple (weight_ih, weight_hh or None, bias_ih or None, bias_hh or None) for each layer and direction.")
      .def("__init__", &make_own_network<T>, "layers"_a, "directions"_a, "programs"_a, "residual"_a = false,
           "start"_a.noconvert().none() = nb::none(),
           "Programs, one a layer, and the tuples go on with what the program reads by unit.")
      .def("run", &run<T>, "input"_a.noconvert(), "batch_sizes"_a.noconvert().none(), "initial"_a.noconvert().none(),
           "output"_a.noconvert(), "final"_a.noconvert().none(), "places"_a.noconvert().none() = nb::none(),
           "Run over (steps, batch, input_size), or packed (rows, input_size), into `output` and `final`.\n\n"
           "With `places`, the step and the row at which each packed sequence begins, they lie among padded rows; the "
           "others of `output` are set to zeros.\n\n"
           "`initial` and `final` are (h_0,) and (h_n,), of an LSTM (h_0, c_0) and (h_n, c_n), each of all layers.")
      .def("run_plain", &run_plain<T>, "x"_a.none(), "h_0"_a.none(), "batch_first"_a,
           "The common call of elman.runtime's networks, which makes its results; None where arguments are none that "
           "can be read as they are.");
  nb::class_<PythonStream<T>>(m, stream, "A batch of sequences read step by step: elman::Stream of elman/network.h.")
      .def(nb::init<std::shared_ptr<const elman::Network<T>>, std::int64_t, nb::object>(), "network"_a, "batch"_a,
           "convert"_a)
      .def("step", &PythonStream<T>::step, "x_t"_a.none(), "out"_a.none() = nb::none(), "reset"_a.none() = nb::none(),
           "elman.runtime.Stream.step")
      .def("reset", &PythonStream<T>::reset, "rows"_a, "Let flagged sequences begin anew: booleans (batch,).")
      .def("read_states", &PythonStream<T>::read_states, "states"_a.noconvert(), "Copy the states to an array.")
      .def("write_states", &PythonStream<T>::write_states, "states"_a.noconvert(), "Copy an array to the states.");
}

}  // namespace

void define_network(nb::module_& m) {
  const nb::module_ module = nb::module_::import_("numpy");
  const nb::object dtype = module.attr("dtype");
  numpy = new NumPy{module.attr("ndarray"), module.attr("empty"), dtype("float32"), dtype("float64")};
  define<float>(m, "NetworkFloat32", "StreamFloat32");
  define<double>(m, "NetworkFloat64", "StreamFloat64");
  m.def(
      "set_num_threads", [](int count) { threads.store(count > 0 ? count : 1); }, "count"_a,
      "The threads of networks and streams.");
  m.def("get_num_threads", [] { return threads.load(); }, "The threads of networks and streams.");
}
