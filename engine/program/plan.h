// A list of instructions as it is run: without what nobody asked for, each result where it is wanted or in a register,
// registers used again as soon as they are free.
#pragma once

#include <cstdint>

#include "elman/cells.h"
#include "elman/program.h"

namespace elman {

// What is run: the operations, in their order, then pairs of them at once, (a b) c, (a b) + c and a (b - a). Either of
// a pair is rounded as it is alone; a pass over a block more would cost as much as it does.
#define ELMAN_PLANNED(X)  \
  ELMAN_OPERATIONS(X)     \
  X(multiply_multiply, 3) \
  X(multiply_then_add, 3) \
  X(multiply_complement, 2)

#define ELMAN_OPERATION(name, ...) name,
enum class Planned : std::uint8_t { ELMAN_PLANNED(ELMAN_OPERATION) };
#undef ELMAN_OPERATION

struct PlannedInstruction {
  Planned operation;
  std::uint16_t to, from[3];  // places
};

struct PlannedPlace {
  Kind kind;  // a result is a register
  std::uint16_t index;
};

// Plain data: it is read by what is compiled once per instruction set.
struct Plan {
  static constexpr int kMostPlanned = kMostInstructions + 2 * kMostOutputs;
  static constexpr int kMostPlaces = kMostPlanned + 2 * kMostConstants;

  CellSizes sizes;
  int unit_inputs, row_inputs;
  int fed_back;
  int registers;
  int instruction_count, place_count;
  bool takes_whole_rows;  // a value hangs on all units of its row
  bool carries_hidden;    // h has a way to the step after besides W_hh
  const double* constants;
  PlannedInstruction instructions[kMostPlanned];
  PlannedPlace places[kMostPlaces];
};

// Which outputs a call asks for, bit i for number i of its kind.
struct Wanted {
  std::uint32_t unit_inputs = 0, step_inputs = 0, row_inputs = 0;  // gradients of
};

CellSizes sizes(const Program& program);

// `program` outlives the plan, which is written.
void plan_forward(const Program& program, bool keeps, Plan& plan);
void plan_backward(const Program& program, const Wanted& wanted, Plan& plan);

}  // namespace elman
