// A list of instructions as it is run: without what nobody asked for, each result where it is wanted or in a register,
// registers used again as soon as they are free.
#pragma once

#include <cstdint>

#include "elman/cells.h"
#include "elman/program.h"

namespace elman {

// What is run: the operations, in their order, then some of them at once, each rounded as it is alone; a pass over a
// block more would cost as much as an operation does.
//
//     multiply_multiply, multiply_then_add, multiply_complement        (a b) c, (a b) + c, a (b - a)
//     add_products, subtract_products                                  (a b) + (c d), (a b) - (c d)
//     through_sigma, product_through_sigma                             a (b (c - b)), (a d) (b (c - b))
//     through_tanh, product_through_tanh                               a (c - b b), (a d) (c - b b)
#define ELMAN_PLANNED(X)      \
  ELMAN_OPERATIONS(X)         \
  X(multiply_multiply, 3)     \
  X(multiply_then_add, 3)     \
  X(multiply_complement, 2)   \
  X(add_products, 4)          \
  X(subtract_products, 4)     \
  X(through_sigma, 3)         \
  X(product_through_sigma, 4) \
  X(through_tanh, 3)          \
  X(product_through_tanh, 4)

#define ELMAN_OPERATION(name, ...) name,
enum class Planned : std::uint8_t { ELMAN_PLANNED(ELMAN_OPERATION) };
#undef ELMAN_OPERATION

struct PlannedInstruction {
  Planned operation;
  std::uint16_t to, from[4];  // places
};

struct PlannedPlace {
  Kind kind;  // a result is a register; a unit input behind the program's own is a value of units
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
  int unit_values;  // that hang on units alone: the first instructions, one for each, are run once a call
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
