// A cell that is a program, for the loops over steps: what SizedCell knows when it is compiled, a plan tells at run
// time.
#pragma once

#include "program/interpreter.h"

namespace elman {
namespace {

struct ProgramCell {
  static constexpr bool kIsProgram = true, kThroughOutput = false, kSideBySide = false;

  const Plan* plan;

  int gates() const { return plan->sizes.gates; }
  int apart() const { return plan->sizes.apart; }
  int states() const { return plan->sizes.states; }
  int kept() const { return plan->sizes.kept; }
  int deltas() const { return gates() + apart(); }
  int unit_inputs() const { return plan->unit_inputs; }
  int fed_back() const { return plan->fed_back; }
  bool carries_hidden() const { return plan->carries_hidden; }
};

// The place of values that are only read; a plan writes to none of them.
template <class T>
Operand<T> reading(const T* from, std::ptrdiff_t row) {
  return {const_cast<T*>(from), row, 1};
}

// What a call gives a program to read, from `row` on.
template <class Call>
auto input_of_program(const Call& call, const Schedule& schedule, Kind kind, int index, std::int64_t step,
                      std::int64_t row, std::int64_t units) {
  if (kind == Kind::row_input) return reading(call.inputs.of_rows[index] + row * units, units);
  const auto& rows = call.inputs.of_steps[index];
  return reading(schedule.at(rows, step, row), rows.row_stride);
}

// A state but the first of rows that have no step before.
template <class Call, class T>
Operand<T> initial_cells(const Call& call, int state, std::int64_t row, const T* zeros, std::int64_t units) {
  if (!call.initial_cell_state) return reading(zeros, 0);
  return reading(call.initial_cell_state + (state - 1) * call.cell_states_apart + row * units, units);
}

}  // namespace
}  // namespace elman
