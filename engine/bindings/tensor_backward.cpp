// A layer over PyTorch's tensors of any strides: BPTT.
#include <algorithm>
#include <array>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensor_call.h"
#include "elman/engine.h"

namespace {

using List = nb::typed<nb::list, nb::object>;
using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;

template <class T, bool has_program>
nb::tuple backward(const TensorView& x, const AnyCell& cell, int threads, int directions, nb::handle input,
                   nb::handle h_0, nb::handle c_0, nb::handle batch_sizes, nb::handle places, nb::list matrices,
                   std::int64_t units, nb::handle output, nb::handle kept, nb::handle d_output, nb::handle d_h_n,
                   nb::handle d_c_n, nb::tuple needed, bool with_deltas) {
  const Call sizes(x, batch_sizes, places, directions, units);
  const elman::CellSizes of_cell = cell.sizes();
  const int further = of_cell.states - 1;
  const std::int64_t gate_rows = of_cell.gates * units;
  const std::size_t of_directions = static_cast<std::size_t>(directions);
  constexpr std::size_t kFirstWeight = 3;  // behind input, h_0 and c_0
  const elman::ProgramText& text = cell.text();
  const std::size_t inputs_of_all = cell.inputs() * of_directions;
  const std::size_t each = needed.size() == kFirstWeight + 4 * of_directions + inputs_of_all ? 4 : 2;
  const std::size_t first_input = kFirstWeight + each * of_directions;
  require(needed.size() == first_input + inputs_of_all, "needed: expected one for each argument");
  const auto needs = [&](std::size_t i) { return needed[i].is(Py_True); };
  require(matrices.size() == 2 * of_directions, "matrices: expected those of directions");
  require(further > 0 || (c_0.is_none() && d_c_n.is_none() && !needs(2)),
          "c_0: expected none, this cell has one state");
  // of one step of a cell that keeps what it needs, nothing reads the output
  require(!output.is_none() || (sizes.is_one_step() && of_cell.kept > 0 && !has_program), "output: expected a tensor");
  const bool gives_up_gil = is_worth_the_gil(3 * sizes.work(of_cell.gates));

  nb::object gradients[3 + 4 * 2 + (has_program ? 2 * kMostInputs : 0)];
  for (nb::object& gradient : gradients) gradient = nb::none();
  if (needs(0)) gradients[0] = sizes.fresh_rows(input, sizes.features());
  if (needs(1)) gradients[1] = sizes.fresh_states(input);
  if (needs(2)) gradients[2] = sizes.fresh_states(input, further);
  for (std::size_t w = kFirstWeight; w < first_input; w += each) {
    if (needs(w)) gradients[w] = input.attr(torch->new_empty)(gate_rows, sizes.features());
    if (needs(w + 1)) gradients[w + 1] = input.attr(torch->new_empty)(gate_rows, units);
    for (std::size_t bias = w + 2; bias < w + each; ++bias) {
      if (needs(bias)) gradients[bias] = input.attr(torch->new_empty)(gate_rows);
    }
  }
  const std::size_t end_of_units = first_input + of_directions * static_cast<std::size_t>(text.unit_inputs);
  const std::size_t end_of_steps = end_of_units + of_directions * static_cast<std::size_t>(text.step_inputs);
  for (std::size_t i = first_input; i < needed.size(); ++i) {
    if (!needs(i)) continue;
    gradients[i] = i < end_of_units   ? input.attr(torch->new_empty)(units)
                   : i < end_of_steps ? sizes.fresh_rows(input, units)
                                      : sizes.fresh_row_input(input);
  }
  const int of_delta = of_cell.apart + of_cell.gates;
  const nb::object deltas = with_deltas ? sizes.fresh_kept(input, of_delta) : nb::none();
  OperandsOf<T, has_program> operands(gives_up_gil);
  const std::size_t of_input = operands.add(input, MemoryFormat::any),
                    of_h_0 = operands.add(h_0, MemoryFormat::contiguous);
  const std::size_t of_c_0 = operands.add(c_0, MemoryFormat::contiguous),
                    of_output = operands.add(output, MemoryFormat::contiguous);
  const std::size_t of_kept = operands.add(kept, MemoryFormat::contiguous),
                    of_d_output = operands.add(d_output, MemoryFormat::any);
  const std::size_t of_d_h_n = operands.add(d_h_n, MemoryFormat::contiguous),
                    of_d_c_n = operands.add(d_c_n, MemoryFormat::contiguous);
  const std::size_t first_matrix = of_d_c_n + 1;
  for (nb::handle matrix : matrices) operands.add(matrix, MemoryFormat::contiguous);
  if constexpr (has_program) cell.add_inputs(operands, directions);
  operands.settle();
  const InputsOf<const T> inputs(text, sizes, directions,
                                 [&](std::size_t i) { return operands.find(first_matrix + matrices.size() + i); });
  std::array<Result<T>, has_program ? 2 * kMostInputs : 1> of_inputs;
  for (std::size_t i = 0; i < inputs_of_all; ++i) of_inputs[i] = Result<T>(gradients[first_input + i]);
  const InputsOf<T> d_inputs(text, sizes, directions, [&](std::size_t i) { return of_inputs[i].view(); });

  const std::int64_t features = sizes.features();
  const Result<T> d_input(gradients[0]), d_h_0(gradients[1]), d_c_0(gradients[2]), to_deltas(deltas);
  const bool is_one_bias = of_cell.apart == 0;
  std::array<elman::Backward<T>, 2> calls;
  std::array<T*, 4> biases{};
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t at = static_cast<std::size_t>(direction), w = kFirstWeight + at * each;
    T* first = each == 4 ? Result<T>(gradients[w + 2]).data() : nullptr;
    T* second = each == 4 ? Result<T>(gradients[w + 3]).data() : nullptr;
    biases[2 * at] = first;
    biases[2 * at + 1] = second;
    calls[at] = {
        .sequence = sizes.sequence(direction),
        .cell = cell.cell,
        .threads = threads,
        .weights = {features, units, operands.data(first_matrix + 2 * at, {gate_rows, features}),
                    has_program ? operands.data_if_any(first_matrix + 2 * at + 1, {gate_rows, units})
                                : operands.data(first_matrix + 2 * at + 1, {gate_rows, units}),
                    nullptr, nullptr},
        .input = sizes.template rows<const T>(operands.find(of_input), features, 0),
        .initial_state = sizes.template states<const T>(operands.find(of_h_0), direction),
        .output = sizes.template rows<const T>(operands.find(of_output), sizes.width(), direction * units),
        .initial_cell_state = sizes.template states<const T>(operands.find(of_c_0), direction, further),
        .kept = sizes.template kept<const T>(operands.find(of_kept), of_cell.kept, direction),
        .d_output = sizes.template rows<const T>(operands.find(of_d_output), sizes.width(), direction * units),
        .d_final_state = sizes.template states<const T>(operands.find(of_d_h_n), direction),
        .d_final_cell_state = sizes.template states<const T>(operands.find(of_d_c_n), direction, further),
        .d_input = sizes.template rows<T>(d_input.view(), features, 0),
        .add_to_d_input = direction == 1,
        .d_initial_state = sizes.template states<T>(d_h_0.view(), direction),
        .d_input_weights = Result<T>(gradients[w]).data(),
        .d_recurrent_weights = Result<T>(gradients[w + 1]).data(),
        .d_bias = is_one_bias && !first ? second : first,
        .d_recurrent_bias = is_one_bias ? nullptr : second,
        .d_initial_cell_state = sizes.template states<T>(d_c_0.view(), direction, further),
        .deltas = sizes.template kept<T>(to_deltas.view(), of_delta, direction),
        .program = cell.program,
        .cell_states_apart = sizes.states_apart(),
        .inputs = {inputs.units_of(text, direction), inputs.steps_of(text, direction), inputs.rows_of(text, direction)},
        .d_unit_inputs = d_inputs.units_of(text, direction),
        .d_step_inputs = d_inputs.steps_of(text, direction),
        .d_row_inputs = d_inputs.rows_of(text, direction),
    };
  }
  {
    const ReleasedIf released(gives_up_gil);
    for (int direction = 0; direction < directions; ++direction) {
      elman::backward(calls[static_cast<std::size_t>(direction)]);
    }
    sizes.template fill_padding<T>(d_input.view(), features, threads);
    // where the biases have equal gradients, no two parameters may share one
    for (std::size_t bias = 0; is_one_bias && bias < biases.size(); bias += 2) {
      if (biases[bias] && biases[bias + 1]) std::copy_n(biases[bias], gate_rows, biases[bias + 1]);
    }
  }
  nb::list results;
  for (std::size_t i = 0; i < needed.size(); ++i) results.append(gradients[i]);
  if (with_deltas) results.append(deltas);
  return nb::tuple(results);
}

// Whether an operation may read these: None counts as plain.
bool are_plain(std::initializer_list<nb::handle> tensors) {
  for (nb::handle tensor : tensors) {
    TensorView view;
    if (!tensor.is_none() && !is_plain(tensor, view)) return false;
  }
  return true;
}
bool are_plain(nb::list tensors) {
  for (nb::handle tensor : tensors) {
    if (!are_plain({tensor})) return false;
  }
  return true;
}

nb::object backward_tensors(elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                            nb::handle c_0, nb::handle batch_sizes, List matrices, std::int64_t hidden_size,
                            nb::handle output, nb::handle kept, nb::handle d_output, nb::handle d_h_n, nb::handle d_c_n,
                            Tuple needed, bool deltas, nb::handle places) {
  if (!are_plain({input, h_0, c_0, output, kept, d_output, d_h_n, d_c_n}) || !are_plain(matrices)) return nb::none();
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &backward<double, false> : &backward<float, false>;
  return f(x, AnyCell{.cell = cell}, threads, directions, input, h_0, c_0, batch_sizes, places, matrices, hidden_size,
           output, kept, d_output, d_h_n, d_c_n, needed, deltas);
}

nb::object backward_program(const elman::Program& program, int threads, int directions, nb::handle input,
                            nb::handle h_0, nb::handle c_0, nb::handle batch_sizes, List matrices,
                            std::int64_t hidden_size, nb::handle output, nb::handle kept, nb::handle d_output,
                            nb::handle d_h_n, nb::handle d_c_n, Tuple needed, List unit_inputs, List step_inputs,
                            List row_inputs, bool deltas) {
  if (!are_plain({input, h_0, c_0, output, kept, d_output, d_h_n, d_c_n}) || !are_plain(matrices) ||
      !are_plain(unit_inputs) || !are_plain(step_inputs) || !are_plain(row_inputs)) {
    return nb::none();
  }
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &backward<double, true> : &backward<float, true>;
  return f(x, any_cell(program, unit_inputs, step_inputs, row_inputs), threads, directions, input, h_0, c_0,
           batch_sizes, nb::none(), matrices, hidden_size, output, kept, d_output, d_h_n, d_c_n, needed, deltas);
}

}  // namespace

// A function's docstring stands at its last overload.
void define_tensor_backward(nb::module_& m) {
  m.def("backward", &backward_tensors, "cell"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(), "c_0"_a.none(),
        "batch_sizes"_a.none(), "matrices"_a, "hidden_size"_a, "output"_a.none(), "kept"_a.none(), "d_output"_a.none(),
        "d_h_n"_a.none(), "d_c_n"_a.none(), "needed"_a, "deltas"_a = false, "places"_a.none() = nb::none());
  m.def("backward", &backward_program, "program"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "c_0"_a.none(), "batch_sizes"_a.none(), "matrices"_a, "hidden_size"_a, "output"_a.none(), "kept"_a.none(),
        "d_output"_a.none(), "d_h_n"_a.none(), "d_c_n"_a.none(), "needed"_a, "unit_inputs"_a, "step_inputs"_a,
        "row_inputs"_a, "deltas"_a = false,
        "The gradients of input, h_0, c_0 and weights, of a program also of unit_inputs, step_inputs and row_inputs; "
        "None for those that are not needed, and instead of all where a tensor is not plain.\n\n"
        "`matrices` are the weights without the biases. With `deltas` those of every row come last, (directions, rows, "
        "features): see elman::Backward.");
}
