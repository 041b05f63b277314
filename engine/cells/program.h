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

}  // namespace
}  // namespace elman
