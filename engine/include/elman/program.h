// Cells of one's own: the pointwise mathematics of a step, forward and backward, as data. The engine multiplies, loops
// over steps and rows, and runs the two lists of instructions between.
//
// The first gates take a_g = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}, the last ones, those apart, both of
// u_g = W_ih x_t + b_ih and v_g = W_hh h_{t-1} + b_hh. h is the state that is fed back. The first state is the output,
// and fed back unless another is.
//
// Every value is one number a row and unit. An instruction i of a list gives the value `result` i; its arguments are
// results of instructions before it, constants, or what the list may read:
//
//     forward   sum (a_g); from_input, from_hidden (u_g, v_g of the gates apart); state (before the step); unit_input,
//               step_input, row_input
//     backward  state (before the step), new_state (after it), unit_input, step_input, row_input, kept, and
//               d_new_state, which is dL/d(state after the step), of h with what came through W_hh
//
// A list's outputs say which value becomes what:
//
//     forward   each new_state, and each kept: what the backward list reads
//     backward  d_sum of each gate, of those apart d_from_input and d_from_hidden; d_state, what goes past W_hh to the
//               step before, of each state but the first, of which it may be left out; and, where they may be asked
//               for, d_unit_input, d_step_input and d_row_input
//
// The engine keeps the first state (it is the output) and all others for the backward list by itself.
//
// Results. All operations round once; division and sqrt are IEEE's, exp and log off by less than a unit in the last
// place, tanh and sigma the cells' own. row_sum adds the units of a row by 16 running sums from zero, sum j of the
// units j, j + 16, j + 32, ... in order; then sums 8 apart, 4 apart, 2 apart and the last two are added. minimum and
// maximum give NaN where either is; less, less_equal and equal give 1 or 0; select(m, a, b) is b where m is 0, else a.
// What is never asked for is not computed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace elman {

// X(name, arguments). multiply_add(a, b, c) is a b + c, negated_multiply_add c - a b, both rounded once.
#define ELMAN_OPERATIONS(X)  \
  X(copy, 1)                 \
  X(add, 2)                  \
  X(subtract, 2)             \
  X(multiply, 2)             \
  X(divide, 2)               \
  X(multiply_add, 3)         \
  X(negated_multiply_add, 3) \
  X(negate, 1)               \
  X(absolute, 1)             \
  X(minimum, 2)              \
  X(maximum, 2)              \
  X(less, 2)                 \
  X(less_equal, 2)           \
  X(equal, 2)                \
  X(select, 3)               \
  X(exp, 1)                  \
  X(log, 1)                  \
  X(sqrt, 1)                 \
  X(tanh, 1)                 \
  X(sigma, 1)                \
  X(softplus, 1)             \
  X(relu, 1)                 \
  X(row_sum, 1)

#define ELMAN_OPERATION(name, ...) name,
enum class Operation : std::uint8_t { ELMAN_OPERATIONS(ELMAN_OPERATION) };
#undef ELMAN_OPERATION

// What a value is, or becomes. A value is its kind * kMostOfKind + which of them.
// clang-format off
#define ELMAN_VALUES(X) \
  X(result) \
  X(constant) \
  X(sum) \
  X(from_input) \
  X(from_hidden) \
  X(state) \
  X(new_state) \
  X(unit_input) \
  X(step_input) \
  X(row_input) \
  X(kept) \
  X(d_new_state) \
  X(d_state) \
  X(d_sum) \
  X(d_from_input) \
  X(d_from_hidden) \
  X(d_unit_input) \
  X(d_step_input) \
  X(d_row_input)
// clang-format on

#define ELMAN_VALUE(name) name,
enum class Kind : std::uint8_t { ELMAN_VALUES(ELMAN_VALUE) };
#undef ELMAN_VALUE

inline constexpr int kMostOfKind = 1024;
inline constexpr int kMostInstructions = 512;  // of a list
inline constexpr int kMostOutputs = 128;       // of a list
inline constexpr int kMostConstants = 256;
inline constexpr int kMostGates = 8, kMostStates = 4, kMostKeptValues = 32;
inline constexpr int kMostUnitInputs = 16, kMostStepInputs = 8, kMostRowInputs = 8;

using Value = int;

struct Instruction {
  Operation operation;
  std::array<Value, 3> from;  // as many as it has arguments; the others are not read
};

struct Output {
  Value to, from;
};

struct InstructionList {
  std::vector<Instruction> instructions;
  std::vector<Output> outputs;
};

struct ProgramText {
  int gates = 1;        // 1 to kMostGates: blocks of hidden_size rows in W_ih, W_hh and the biases
  int apart = 0;        // 0 to gates, the last of them
  int states = 1;       // 1 to kMostStates, h among them
  int fed_back = 0;     // 0 to states - 1: h, what W_hh multiplies
  int kept = 0;         // 0 to kMostKeptValues
  int unit_inputs = 0;  // 0 to kMostUnitInputs arrays (hidden_size)
  int step_inputs = 0;  // 0 to kMostStepInputs arrays (steps, batch, hidden_size), or packed
  int row_inputs = 0;   // 0 to kMostRowInputs arrays (batch, hidden_size)
  std::vector<double> constants;
  InstructionList forward, backward;  // a program without the second cannot be differentiated
};

struct Plan;

// A program that has been checked: whatever its text came from, it touches no memory but that of its call. Immutable;
// any number of threads may use it.
class Program {
 public:
  // Throws std::invalid_argument, naming the instruction or output, for what cannot be run.
  explicit Program(ProgramText text);
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) = delete;

  const ProgramText& text() const { return text_; }
  bool has_backward() const { return !text_.backward.outputs.empty(); }

  // For the engine itself: how the forward list is run, with what it keeps or without.
  const Plan& forward_plan(bool keeps) const { return *forward_[keeps ? 1 : 0]; }

 private:
  ProgramText text_;
  std::array<std::unique_ptr<Plan>, 2> forward_;
};

}  // namespace elman
