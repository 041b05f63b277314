// A layer over PyTorch's tensors of any strides: the forward pass.
#include <array>
#include <optional>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensor_call.h"
#include "elman/engine.h"

namespace {

using List = nb::typed<nb::list, nb::object>;
using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;

template <class T, bool has_program>
nb::tuple forward(const Call& sizes, const AnyCell& cell, int threads, int directions, nb::handle input, nb::handle h_0,
                  nb::handle c_0, nb::list weights, std::int64_t units, bool keeps) {
  const elman::CellSizes of_cell = cell.sizes();
  const int further = of_cell.states - 1;
  const std::int64_t gate_rows = of_cell.gates * units;
  const std::size_t each = weights.size() / static_cast<std::size_t>(directions);
  require(each == 2 || each == 4, "weights: expected those of directions");
  require(further > 0 || c_0.is_none(), "c_0: expected none, this cell has one state");
  const bool gives_up_gil = is_worth_the_gil(sizes.work(of_cell.gates));

  const nb::object output = sizes.fresh_rows(input, sizes.width());
  const nb::object h_n = sizes.is_one_step() ? nb::none() : sizes.fresh_states(input);
  const nb::object c_n = further > 0 ? sizes.fresh_states(input, further) : nb::none();
  const nb::object kept = keeps && of_cell.kept > 0 ? sizes.fresh_kept(input, of_cell.kept) : nb::none();
  OperandsOf<T, has_program> operands(gives_up_gil);
  const std::size_t of_input = operands.add(input, MemoryFormat::any),
                    of_h_0 = operands.add(h_0, MemoryFormat::contiguous);
  const std::size_t of_c_0 = operands.add(c_0, MemoryFormat::contiguous), first_weight = of_c_0 + 1;
  for (nb::handle weight : weights) operands.add(weight, MemoryFormat::contiguous);
  if constexpr (has_program) cell.add_inputs(operands, directions);
  operands.settle();
  const elman::ProgramText& text = cell.text();
  const InputsOf<const T> inputs(text, sizes, directions,
                                 [&](std::size_t i) { return operands.find(first_weight + weights.size() + i); });

  const Result<T> to_output(output), to_h_n(h_n), to_c_n(c_n), to_kept(kept);
  // a program may have no recurrent term, and no biases
  const auto weight = [&](std::size_t i, std::initializer_list<std::int64_t> shape) {
    return has_program ? operands.data_if_any(i, shape) : operands.data(i, shape);
  };
  std::array<elman::Forward<T>, 2> calls;
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t w = first_weight + static_cast<std::size_t>(direction) * each;
    calls[static_cast<std::size_t>(direction)] = {
        .sequence = sizes.sequence(direction),
        .cell = cell.cell,
        .threads = threads,
        .weights = {sizes.features(), units, operands.data(w, {gate_rows, sizes.features()}),
                    weight(w + 1, {gate_rows, units}), each == 4 ? weight(w + 2, {gate_rows}) : nullptr,
                    each == 4 ? weight(w + 3, {gate_rows}) : nullptr},
        .packed = nullptr,
        .input = sizes.template rows<const T>(operands.find(of_input), sizes.features(), 0),
        .initial_state = sizes.template states<const T>(operands.find(of_h_0), direction),
        .output = sizes.template rows<T>(to_output.view(), sizes.width(), direction * units),
        .final_state = sizes.template states<T>(to_h_n.view(), direction),
        .initial_cell_state = sizes.template states<const T>(operands.find(of_c_0), direction, further),
        .final_cell_state = sizes.template states<T>(to_c_n.view(), direction, further),
        .kept = sizes.template kept<T>(to_kept.view(), of_cell.kept, direction),
        .program = cell.program,
        .cell_states_apart = sizes.states_apart(),
        .inputs = {inputs.units_of(text, direction), inputs.steps_of(text, direction), inputs.rows_of(text, direction)},
    };
  }
  {
    const ReleasedIf released(gives_up_gil);
    for (int direction = 0; direction < directions; ++direction) {
      elman::forward(calls[static_cast<std::size_t>(direction)]);
    }
    sizes.template fill_padding<T>(to_output.view(), sizes.width(), threads);
  }
  if (sizes.is_one_step()) {
    return nb::make_tuple(c_n.is_none() ? nb::make_tuple(output) : nb::make_tuple(output, c_n), kept);
  }
  return nb::make_tuple(c_n.is_none() ? nb::make_tuple(output, h_n) : nb::make_tuple(output, h_n, c_n), kept);
}

Tuple forward_tensors(elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0, nb::handle c_0,
                      nb::handle batch_sizes, List weights, std::int64_t hidden_size, bool keeps, nb::handle places) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &forward<double, false> : &forward<float, false>;
  return Tuple(f(Call(x, batch_sizes, places, directions, hidden_size), AnyCell{.cell = cell}, threads, directions,
                 input, h_0, c_0, weights, hidden_size, keeps));
}

bool are_unit_inputs(const AnyCell& cell, int directions, bool is_double, std::int64_t units) {
  if (length(nb::len(cell.unit_inputs)) != directions * cell.text().unit_inputs) return false;
  for (nb::handle tensor : nb::borrow<nb::list>(cell.unit_inputs)) {
    TensorView view;
    if (!is_plain(tensor, view) || !view.has_shape({units})) return false;
    if (!(is_double ? view.holds<double>() : view.holds<float>())) return false;
  }
  return true;
}

// What a batch is cut by; None for nothing.
struct CutBy {
  nb::handle lengths = Py_None, resets = Py_None;

  bool is_none() const { return lengths.is_none() && resets.is_none(); }
};

bool any_learns(nb::handle tensors) {
  for (nb::handle tensor : nb::borrow<nb::list>(tensors)) {
    if (learns(tensor)) return true;
  }
  return false;
}

// One step (batch, features), or a layer over (steps, batch, features); of a program what is given by unit alone.
template <bool has_program>
nb::object run_if_admitted(const AnyCell& cell, int threads, nb::handle input, nb::handle h_0, nb::handle c_0,
                           nb::list weights, nb::handle input_size, nb::handle hidden_size, int directions, bool bias,
                           bool is_step, bool may_learn, const CutBy& cut_by) {
  const int gates = cell.sizes().gates;
  if (!are_admitted(input, h_0, c_0, weights, gates, input_size, hidden_size, 1, directions, bias, has_program)) {
    return nb::none();
  }
  const auto units = nb::cast<std::int64_t>(hidden_size);
  const bool needs_gradients = may_learn && (any_learns(weights) || learns(input) || learns(h_0) || learns(c_0) ||
                                             (has_program && any_learns(cell.unit_inputs)));
  const bool is_double = viewed(input).holds<double>();
  if (has_program && !are_unit_inputs(cell, directions, is_double, units)) return nb::none();
  const TensorView x = viewed(input);  // the last, for attributes are Python
  if (x.dimensions() != (is_step ? 2 : 3) || (!is_step && x.size(0) == 0)) return nb::none();
  const auto fits = [&](nb::handle state) {
    TensorView view;
    return state.is_none() ||
           (TensorView::read(state, view) &&
            (is_step ? view.has_shape({x.size(0), units}) : view.has_shape({directions, x.size(1), units})));
  };
  if (!fits(h_0) || !fits(c_0)) return nb::none();
  if (needs_gradients) return cut_by.is_none() ? nb::object(nb::bool_(true)) : nb::none();
  const auto f = is_double ? &forward<double, has_program> : &forward<float, has_program>;
  if (is_step && !cut_by.is_none()) {
    if (!cut_by.lengths.is_none() || !are_flags(cut_by.resets, x.size(0))) return nb::none();
    const Call sizes(x, nb::none(), nb::none(), directions, units);
    const nb::object h = restarted(h_0, cut_by.resets), c = restarted(c_0, cut_by.resets);
    return f(sizes, cell, threads, directions, input, h, c, weights, units, false)[0];
  }
  if (!cut_by.is_none()) {
    Cuts cuts{x.size(0), x.size(1)};
    // a reverse direction would run into what a reset ends
    if ((directions == 2 && !cut_by.resets.is_none()) || !cuts.read(cut_by.lengths, cut_by.resets, false)) {
      return nb::none();
    }
    const std::optional<Pieces> pieces = cuts.pieces();
    if (!pieces || pieces->count() == 0) return nb::none();
    if (!pieces->are_as_given) {
      const Call sizes(x, *pieces, directions, units);
      const nb::object h = states_of_pieces(*pieces, h_0), c = states_of_pieces(*pieces, c_0);
      const nb::tuple results(f(sizes, cell, threads, directions, input, h, c, weights, units, false)[0]);
      const nb::object h_n = states_of_sequences(*pieces, results[1], h_0, cuts.batch);
      if (results.size() == 2) return nb::make_tuple(results[0], h_n);
      return nb::make_tuple(results[0], h_n, states_of_sequences(*pieces, results[2], c_0, cuts.batch));
    }
  }
  const Call sizes(x, nb::none(), nb::none(), directions, units);
  return f(sizes, cell, threads, directions, input, h_0, c_0, weights, units, false)[0];
}

nb::object forward_tensors_if_admitted(elman::Cell cell, int threads, nb::handle input, nb::handle h_0, nb::handle c_0,
                                       List weights, nb::handle input_size, nb::handle hidden_size, int directions,
                                       nb::handle bias, List, bool may_learn, nb::handle lengths, nb::handle resets) {
  return run_if_admitted<false>(AnyCell{.cell = cell}, threads, input, h_0, c_0, weights, input_size, hidden_size,
                                directions, is_true(bias), false, may_learn, {lengths, resets});
}

nb::object forward_program_if_admitted(const elman::Program& program, int threads, nb::handle input, nb::handle h_0,
                                       nb::handle c_0, List weights, nb::handle input_size, nb::handle hidden_size,
                                       int directions, nb::handle bias, List unit_inputs, bool may_learn,
                                       nb::handle lengths, nb::handle resets) {
  const nb::list none;
  const AnyCell cell{.program = &program, .unit_inputs = unit_inputs, .step_inputs = none, .row_inputs = none};
  if (program.text().step_inputs > 0 || program.text().row_inputs > 0) return nb::none();
  return run_if_admitted<true>(cell, threads, input, h_0, c_0, weights, input_size, hidden_size, directions,
                               is_true(bias), false, may_learn, {lengths, resets});
}

// What `keep` makes of what a function is given, and what `forward` makes of the aliases.
template <bool has_program>
Tuple forward_kept(AnyCell cell, int threads, int directions, nb::handle input, nb::handle h_0, nb::handle c_0,
                   nb::handle batch_sizes, nb::handle places, nb::tuple given, std::int64_t units) {
  require(torch, "expected to be told of PyTorch before");
  require(directions == 1 || directions == 2, "directions: expected 1 or 2");
  const std::size_t of_directions = static_cast<std::size_t>(directions), inputs = cell.inputs() * of_directions;
  require(given.size() >= inputs, "given: expected weights and inputs");
  const std::size_t each = (given.size() - inputs) / of_directions;
  require((each == 2 || each == 4) && given.size() == each * of_directions + inputs,
          "given: expected weights and inputs");
  Kept kept;
  const nb::object x = kept.add(input), h = kept.add(h_0), c = kept.add(c_0);
  nb::list weights, biases, numbers;
  for (std::size_t i = 0; i < each * of_directions; ++i) {
    const nb::object weight = given[i];
    weights.append(i % each < 2 ? kept.add(weight) : weight);
    if (i % each < 2) continue;
    biases.append(weight);
    numbers.append(weight.is_none() ? nb::object(nb::none()) : nb::object(copy_of(weight)));
  }
  std::size_t next = each * of_directions;
  const auto aliases_of = [&](int count) {
    nb::list aliases;
    for (int i = 0; i < directions * count; ++i) aliases.append(kept.add(given[next++]));
    return aliases;
  };
  const elman::ProgramText& text = cell.text();
  const nb::list unit = aliases_of(text.unit_inputs), step = aliases_of(text.step_inputs);
  const nb::list row = aliases_of(text.row_inputs);
  cell.unit_inputs = unit, cell.step_inputs = step, cell.row_inputs = row;
  const TensorView view = viewed(x);
  const auto f = view.holds<double>() ? &forward<double, has_program> : &forward<float, has_program>;
  const Call sizes(view, batch_sizes, places, directions, units);
  const nb::tuple found = f(sizes, cell, threads, directions, x, h, c, weights, units, true);
  return Tuple(nb::make_tuple(found[0], found[1], kept.aliases, kept.computed, kept.leads, biases, numbers));
}

Tuple forward_kept_tensors(elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                           nb::handle c_0, nb::handle batch_sizes, nb::handle places, Tuple given,
                           std::int64_t hidden_size) {
  return forward_kept<false>(AnyCell{.cell = cell}, threads, directions, input, h_0, c_0, batch_sizes, places, given,
                             hidden_size);
}

Tuple forward_kept_program(const elman::Program& program, int threads, int directions, nb::handle input, nb::handle h_0,
                           nb::handle c_0, nb::handle batch_sizes, nb::handle places, Tuple given,
                           std::int64_t hidden_size) {
  return forward_kept<true>(AnyCell{.program = &program}, threads, directions, input, h_0, c_0, batch_sizes, places,
                            given, hidden_size);
}

Tuple forward_program(const elman::Program& program, int threads, int directions, nb::handle input, nb::handle h_0,
                      nb::handle c_0, nb::handle batch_sizes, List weights, std::int64_t hidden_size, bool keeps,
                      List unit_inputs, List step_inputs, List row_inputs) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &forward<double, true> : &forward<float, true>;
  return Tuple(f(Call(x, batch_sizes, nb::none(), directions, hidden_size),
                 any_cell(program, unit_inputs, step_inputs, row_inputs), threads, directions, input, h_0, c_0, weights,
                 hidden_size, keeps));
}

}  // namespace

nb::object step_if_admitted(elman::Cell cell, int threads, nb::handle input, nb::handle h, nb::handle c,
                            nb::list weights, nb::handle input_size, nb::handle hidden_size, bool bias, bool may_learn,
                            nb::handle reset) {
  return run_if_admitted<false>(AnyCell{.cell = cell}, threads, input, h, c, weights, input_size, hidden_size, 1, bias,
                                true, may_learn, {Py_None, reset});
}

// A function's docstring stands at its last overload.
void define_tensor_forward(nb::module_& m) {
  m.def("forward", &forward_tensors, "cell"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(), "c_0"_a.none(),
        "batch_sizes"_a.none(), "weights"_a, "hidden_size"_a, "keeps"_a, "places"_a.none() = nb::none());
  m.def("forward", &forward_program, "program"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "c_0"_a.none(), "batch_sizes"_a.none(), "weights"_a, "hidden_size"_a, "keeps"_a, "unit_inputs"_a,
        "step_inputs"_a, "row_inputs"_a,
        "One layer over tensors: (what elman.ops.layer returns, what the backward pass needs besides).\n\n"
        "Of one step the state alone, of a cell with two states both. The second is None where the cell keeps nothing, "
        "and without `keeps`. With `places`, the step and the row at which each sequence of batch_sizes begins, the "
        "rows lie among padded ones: see elman::Rows. The other rows of what comes back are zeros.\n\n"
        "Of a program the states but the first are c, behind one another, (states - 1, ...), where they are several. "
        "Each list of its inputs has the tensors of a direction behind those of the one before.");
  const auto define_if_admitted = [&](auto* function, const char* cell, auto... docstring) {
    m.def("forward_if_admitted", function, nb::arg(cell), "threads"_a, "input"_a.none(), "h_0"_a.none(), "c_0"_a.none(),
          "weights"_a, "input_size"_a.none(), "hidden_size"_a.none(), "directions"_a, "bias"_a.none(), "unit_inputs"_a,
          "may_learn"_a, "lengths"_a.none() = nb::none(), "resets"_a.none() = nb::none(), docstring...);
  };
  define_if_admitted(&forward_tensors_if_admitted, "cell");
  define_if_admitted(
      &forward_program_if_admitted, "program",
      "What `forward` returns first, of (steps, batch, features).\n\n"
      "None where `admits` says no or other sizes do not fit, and of a program that is given something by step or row; "
      "True where `may_learn` and a tensor requires a gradient. With `lengths` (batch) or `resets` (steps, batch), of "
      "a sequence cut into pieces, its states being those of the sequences: None also where these are not as "
      "`cut_tensors` takes them, where there are resets in two directions, where no piece has a step, and in the place "
      "of True. `unit_inputs` are a program's, whose weights are four a direction.");
  const auto define_kept = [&](auto* function, const char* cell, auto... docstring) {
    m.def("forward_kept", function, nb::arg(cell), "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
          "c_0"_a.none(), "batch_sizes"_a.none(), "places"_a.none(), "given"_a, "hidden_size"_a, docstring...);
  };
  define_kept(&forward_kept_tensors, "cell");
  define_kept(&forward_kept_program, "program",
              "What `forward` returns of aliases of these tensors; what `keep` returns of all but the biases; these "
              "and their `copies`.\n\n"
              "`given` are the weights, and behind them the inputs of a program.");
}
