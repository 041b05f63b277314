// One layer and direction by addresses and sizes, nothing checked but the sequence: what the tests of the engine call,
// which see to it that the addresses are good.
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/sizes.h"
#include "elman/engine.h"

namespace {

using Address = std::uintptr_t;  // 0 is null
using Stride = std::ptrdiff_t;   // in elements

template <class T>
T* pointer(Address address) {
  return reinterpret_cast<T*>(address);
}

// What a program reads and writes besides: addresses, of rows with their strides of steps and rows.
using Addresses = std::vector<Address>;
using AddressesOfRows = std::vector<std::tuple<Address, Stride, Stride>>;

template <class T>
std::vector<T*> pointers(const Addresses& addresses) {
  std::vector<T*> all;
  for (const Address address : addresses) all.push_back(pointer<T>(address));
  return all;
}

template <class T>
std::vector<elman::Rows<T>> rows(const AddressesOfRows& addresses) {
  std::vector<elman::Rows<T>> all;
  for (const auto& [address, step, row] : addresses) all.push_back({pointer<T>(address), step, row, 1});
  return all;
}

template <class T>
struct Inputs {
  Inputs(const elman::Program* program, const Addresses& unit, const AddressesOfRows& step, const Addresses& row)
      : of_units(pointers<const T>(unit)), of_steps(rows<const T>(step)), of_rows(pointers<const T>(row)) {
    const elman::ProgramText none;
    const elman::ProgramText& text = program ? program->text() : none;
    require(length(unit.size()) == text.unit_inputs, "unit_inputs: expected as many as the program has");
    require(length(step.size()) == text.step_inputs, "step_inputs: expected as many as the program has");
    require(length(row.size()) == text.row_inputs, "row_inputs: expected as many as the program has");
  }
  elman::ProgramInputs<T> all() const { return {of_units.data(), of_steps.data(), of_rows.data()}; }

  std::vector<const T*> of_units;
  std::vector<elman::Rows<const T>> of_steps;
  std::vector<const T*> of_rows;
};

template <class T>
void forward(elman::Cell cell, int threads, std::int64_t steps, std::int64_t batch, Address batch_sizes, bool reverse,
             std::int64_t input_size, std::int64_t hidden_size, Address input_weights, Address recurrent_weights,
             Address input_bias, Address recurrent_bias, Address input, Stride input_step, Stride input_row,
             Stride input_feature, Address initial_state, Address output, Stride output_step, Stride output_row,
             Address final_state, Address initial_cell_state, Address final_cell_state, Address kept,
             const elman::Program* program, Stride cell_states_apart, const Addresses& unit_inputs,
             const AddressesOfRows& step_inputs, const Addresses& row_inputs) {
  const Inputs<T> inputs(program, unit_inputs, step_inputs, row_inputs);
  const Released released;
  elman::forward(elman::Forward<T>{
      .sequence = {steps, batch, pointer<const std::int64_t>(batch_sizes), reverse},
      .cell = cell,
      .threads = threads,
      .weights = {input_size, hidden_size, pointer<const T>(input_weights), pointer<const T>(recurrent_weights),
                  pointer<const T>(input_bias), pointer<const T>(recurrent_bias)},
      .packed = nullptr,
      .input = {pointer<const T>(input), input_step, input_row, input_feature},
      .initial_state = pointer<const T>(initial_state),
      .output = {pointer<T>(output), output_step, output_row, 1},
      .final_state = pointer<T>(final_state),
      .initial_cell_state = pointer<const T>(initial_cell_state),
      .final_cell_state = pointer<T>(final_cell_state),
      .kept = pointer<T>(kept),
      .program = program,
      .cell_states_apart = cell_states_apart,
      .inputs = inputs.all(),
  });
}

template <class T>
void backward(elman::Cell cell, int threads, std::int64_t steps, std::int64_t batch, Address batch_sizes, bool reverse,
              std::int64_t input_size, std::int64_t hidden_size, Address input_weights, Address recurrent_weights,
              Address input, Stride input_step, Stride input_row, Stride input_feature, Address initial_state,
              Address output, Stride output_step, Stride output_row, Address d_output, Stride d_output_step,
              Stride d_output_row, Stride d_output_feature, Address d_final_state, Address d_input, Stride d_input_step,
              Stride d_input_row, bool add_to_d_input, Address d_initial_state, Address d_input_weights,
              Address d_recurrent_weights, Address d_bias, Address initial_cell_state, Address kept,
              Address d_final_cell_state, Address d_recurrent_bias, Address d_initial_cell_state,
              const elman::Program* program, Stride cell_states_apart, const Addresses& unit_inputs,
              const AddressesOfRows& step_inputs, const Addresses& row_inputs, const Addresses& d_unit_inputs,
              const AddressesOfRows& d_step_inputs, const Addresses& d_row_inputs) {
  const Inputs<T> inputs(program, unit_inputs, step_inputs, row_inputs);
  const auto d_units = pointers<T>(d_unit_inputs), d_rows = pointers<T>(d_row_inputs);
  const auto d_steps = rows<T>(d_step_inputs);
  require(d_units.empty() || d_units.size() == unit_inputs.size(), "d_unit_inputs: expected as many as inputs");
  require(d_steps.empty() || d_steps.size() == step_inputs.size(), "d_step_inputs: expected as many as inputs");
  require(d_rows.empty() || d_rows.size() == row_inputs.size(), "d_row_inputs: expected as many as inputs");
  const Released released;
  elman::backward(elman::Backward<T>{
      .sequence = {steps, batch, pointer<const std::int64_t>(batch_sizes), reverse},
      .cell = cell,
      .threads = threads,
      .weights = {input_size, hidden_size, pointer<const T>(input_weights), pointer<const T>(recurrent_weights),
                  nullptr, nullptr},
      .input = {pointer<const T>(input), input_step, input_row, input_feature},
      .initial_state = pointer<const T>(initial_state),
      .output = {pointer<const T>(output), output_step, output_row, 1},
      .initial_cell_state = pointer<const T>(initial_cell_state),
      .kept = pointer<const T>(kept),
      .d_output = {pointer<const T>(d_output), d_output_step, d_output_row, d_output_feature},
      .d_final_state = pointer<const T>(d_final_state),
      .d_final_cell_state = pointer<const T>(d_final_cell_state),
      .d_input = {pointer<T>(d_input), d_input_step, d_input_row, 1},
      .add_to_d_input = add_to_d_input,
      .d_initial_state = pointer<T>(d_initial_state),
      .d_input_weights = pointer<T>(d_input_weights),
      .d_recurrent_weights = pointer<T>(d_recurrent_weights),
      .d_bias = pointer<T>(d_bias),
      .d_recurrent_bias = pointer<T>(d_recurrent_bias),
      .d_initial_cell_state = pointer<T>(d_initial_cell_state),
      .program = program,
      .cell_states_apart = cell_states_apart,
      .inputs = inputs.all(),
      .d_unit_inputs = d_units.empty() ? nullptr : d_units.data(),
      .d_step_inputs = d_steps.empty() ? nullptr : d_steps.data(),
      .d_row_inputs = d_rows.empty() ? nullptr : d_rows.data(),
  });
}

template <class T>
void define(nb::module_& m, const char* forward_name, const char* backward_name) {
  m.def(forward_name, &forward<T>, "cell"_a, "threads"_a, "steps"_a, "batch"_a, "batch_sizes"_a, "reverse"_a,
        "input_size"_a, "hidden_size"_a, "input_weights"_a, "recurrent_weights"_a, "input_bias"_a, "recurrent_bias"_a,
        "input"_a, "input_step"_a, "input_row"_a, "input_feature"_a, "initial_state"_a, "output"_a, "output_step"_a,
        "output_row"_a, "final_state"_a, "initial_cell_state"_a = 0, "final_cell_state"_a = 0, "kept"_a = 0,
        "program"_a.none() = nb::none(), "cell_states_apart"_a = 0, "unit_inputs"_a = Addresses(),
        "step_inputs"_a = AddressesOfRows(), "row_inputs"_a = Addresses(),
        "One layer and direction over a sequence: elman::forward of elman/engine.h.\n\n"
        "Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; "
        "its arrays by step are (address, stride of steps, of rows).");
  m.def(backward_name, &backward<T>, "cell"_a, "threads"_a, "steps"_a, "batch"_a, "batch_sizes"_a, "reverse"_a,
        "input_size"_a, "hidden_size"_a, "input_weights"_a, "recurrent_weights"_a, "input"_a, "input_step"_a,
        "input_row"_a, "input_feature"_a, "initial_state"_a, "output"_a, "output_step"_a, "output_row"_a, "d_output"_a,
        "d_output_step"_a, "d_output_row"_a, "d_output_feature"_a, "d_final_state"_a, "d_input"_a, "d_input_step"_a,
        "d_input_row"_a, "add_to_d_input"_a, "d_initial_state"_a, "d_input_weights"_a, "d_recurrent_weights"_a,
        "d_bias"_a, "initial_cell_state"_a = 0, "kept"_a = 0, "d_final_cell_state"_a = 0, "d_recurrent_bias"_a = 0,
        "d_initial_cell_state"_a = 0, "program"_a.none() = nb::none(), "cell_states_apart"_a = 0,
        "unit_inputs"_a = Addresses(), "step_inputs"_a = AddressesOfRows(), "row_inputs"_a = Addresses(),
        "d_unit_inputs"_a = Addresses(), "d_step_inputs"_a = AddressesOfRows(), "d_row_inputs"_a = Addresses(),
        "BPTT through one layer and direction: elman::backward of elman/engine.h.\n\n"
        "Arrays are addresses (0: none), strides count elements. A program, where there is one, stands for the cell; "
        "its arrays by step are (address, stride of steps, of rows).");
}

}  // namespace

void define_layer(nb::module_& m) {
  nb::enum_<elman::Cell> cells(m, "Cell", "What a layer makes of its sums and its states.");
#define ELMAN_CELL(name, ...) cells.value(#name, elman::Cell::name);
  ELMAN_CELLS(ELMAN_CELL)
#undef ELMAN_CELL
  define<float>(m, "forward_float32", "backward_float32");
  define<double>(m, "forward_float64", "backward_float64");
}
