// One step of a cell over PyTorch's tensors, in one call with the gate. To look at tensors takes longer than a small
// step: each is looked at once (60 ns), after all that may run Python.
#include <array>
#include <cstdint>
#include <initializer_list>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensor_call.h"
#include "elman/engine.h"

namespace {

using Threads = nb::typed<nb::callable, int()>;

// What a step is given: held, for while Python runs it may go elsewhere. None, or no object of biases that there are
// none of.
struct Given {
  nb::object input, h = nb::none(), c = nb::none();
  std::array<nb::object, 4> weights;

  // Of two states `hx` is a pair. False where it is something else, or a weight is missing.
  bool read(nb::handle x, nb::handle hx, bool is_pair, nb::handle parameters, nb::handle bias) {
    input = nb::borrow(x);
    if (!is_pair) {
      h = nb::borrow(hx);
    } else if (!hx.is_none()) {
      if (!(PyTuple_CheckExact(hx.ptr()) || PyList_CheckExact(hx.ptr())) || nb::len(hx) != 2) return false;
      h = hx[0], c = hx[1];
      if (h.is_none() || c.is_none()) return false;
    }
    // never freed, as `torch` is not
    static const auto* const names =
        new std::array<nb::str, 4>{nb::str("weight_ih"), nb::str("weight_hh"), nb::str("bias_ih"), nb::str("bias_hh")};
    if (!PyDict_CheckExact(parameters.ptr())) return false;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = nb::borrow(PyDict_GetItem(parameters.ptr(), (*names)[i].ptr()));
      if (!weights[i].is_valid()) return false;
    }
    // PyTorch's cells add the biases that are there, whatever has been said of them since
    if (weights[2].is_none() && weights[3].is_none() && !is_true(bias)) weights[2] = weights[3] = nb::object();
    return true;
  }

  bool has_biases() const { return weights[2].is_valid(); }

  void add_weights(nb::list& list) const {
    for (const nb::object& weight : weights) {
      if (weight.is_valid()) list.append(weight);
    }
  }

  // Whether holds(tensor) of any.
  template <class Holds>
  bool any(const Holds& holds) const {
    for (const nb::object& weight : weights) {
      if (weight.is_valid() && holds(weight)) return true;
    }
    return holds(input) || (!h.is_none() && holds(h)) || (!c.is_none() && holds(c));
  }
};

struct Sizes {
  std::int64_t batch, features, units;
};

// A step that does not give up the GIL. No object where something is no contiguous, plain tensor of the right sizes.
template <class T>
nb::object step_at_once(elman::Cell cell, const Sizes& sizes, const Given& given) {
  const auto [batch, features, units] = sizes;
  const std::int64_t rows = elman::sizes(cell).gates * units;
  const auto fresh = [&] { return given.input.attr(torch->new_empty)(sizes.batch, sizes.units); };
  const nb::object h_n = fresh(), c_n = elman::sizes(cell).states == 2 ? nb::object(fresh()) : nb::none();
  if (given.any([](nb::handle tensor) { return !is_as_in_memory(tensor); })) return {};

  bool fits = true;  // no Python runs from here on
  const auto data = [&](nb::handle tensor, std::initializer_list<std::int64_t> shape) -> T* {
    TensorView view;
    if (!tensor.is_valid() || tensor.is_none()) return nullptr;
    fits = fits && TensorView::read(tensor, view) && view.holds<T>() && view.has_shape(shape) && view.is_contiguous();
    return fits ? view.data<T>() : nullptr;
  };
  TensorView x;
  if (!TensorView::read(given.input, x) || !x.holds<T>() || !x.has_shape({batch, features})) return {};
  T* const after = data(h_n, {batch, units});
  const elman::Forward<T> call{
      .sequence = {1, batch, nullptr, false},
      .cell = cell,
      .threads = 1,
      .weights = {features, units, data(given.weights[0], {rows, features}), data(given.weights[1], {rows, units}),
                  data(given.weights[2], {rows}), data(given.weights[3], {rows})},
      .packed = nullptr,
      .input = {x.data<const T>(), 0, x.stride(0), x.stride(1)},
      .initial_state = data(given.h, {batch, units}),
      .output = {after, 0, units, 1},
      .final_state = nullptr,
      .initial_cell_state = data(given.c, {batch, units}),
      .final_cell_state = data(c_n, {batch, units}),
  };
  if (!fits) return {};
  elman::forward(call);
  return c_n.is_none() ? h_n : nb::object(nb::make_tuple(h_n, c_n));
}

nb::object step(elman::Cell cell, Threads threads, nb::handle input, nb::handle hx, nb::handle parameters,
                nb::handle input_size, nb::handle hidden_size, nb::handle bias, bool may_learn, nb::handle reset) {
  const elman::CellSizes& of_cell = elman::sizes(cell);
  Given given;
  if (!torch || !given.read(input, hx, of_cell.states == 2, parameters, bias)) return nb::none();
  Sizes sizes{};
  TensorView x;
  if (!nb::try_cast(input_size, sizes.features) || !nb::try_cast(hidden_size, sizes.units)) return nb::none();
  if (given.any([](nb::handle object) { return !is_tensor(object); })) return nb::none();
  const bool is_at_once = reset.is_none() && !(may_learn && given.any(learns));
  if (!TensorView::read(input, x) || x.dimensions() != 2) return nb::none();
  sizes.batch = x.size(0);
  const double multiplications = static_cast<double>(sizes.batch) * static_cast<double>(sizes.units) *
                                 static_cast<double>(sizes.features + sizes.units) * of_cell.gates;
  if (is_at_once && sizes.units > 0 && !is_worth_the_gil(multiplications)) {
    nb::object state =
        x.holds<double>() ? step_at_once<double>(cell, sizes, given) : step_at_once<float>(cell, sizes, given);
    if (state.is_valid()) return state;
  }
  nb::list weights;
  given.add_weights(weights);
  nb::object results = step_if_admitted(cell, nb::cast<int>(threads()), input, given.h, given.c, weights, input_size,
                                        hidden_size, given.has_biases(), may_learn, reset);
  if (results.is(Py_True)) {
    nb::list operands;
    operands.append(given.h);
    operands.append(given.c);
    given.add_weights(operands);
    return operands;
  }
  return results.is_none() || of_cell.states == 2 ? results : nb::object(results[0]);
}

}  // namespace

void define_tensor_step(nb::module_& m) {
  m.def("step_if_admitted", &step, "cell"_a, "threads"_a, "input"_a.none(), "hx"_a.none(), "parameters"_a.none(),
        "input_size"_a.none(), "hidden_size"_a.none(), "bias"_a.none(), "may_learn"_a, "reset"_a.none(),
        "What a cell of torch.nn with these `parameters` returns of (batch, features): a state, of an LSTM both.\n\n"
        "None where `admits` says no or other sizes do not fit; a list of h, c and the weights where `may_learn` and a "
        "tensor requires a gradient. `threads()` are asked for where it may be worth it. With `reset` (batch) the "
        "flagged rows begin with zeros: None also where it is no plain tensor, and in the place of a list.");
}
