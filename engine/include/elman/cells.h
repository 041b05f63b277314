// The cells that a recurrent layer may have. This list is the only one: the enumeration, the dispatch and the names in
// Python are made of it. A new cell is a line here and a file in cells/ with its mathematics.
#pragma once

#include <cstdint>

namespace elman {

// X(name, class in cells/, gates, apart, states, kept)
//
// gates: blocks of hidden_size rows in W_ih, W_hh and the biases. apart: how many of them, the last, take W_ih x + b_ih
// and W_hh h + b_hh apart; the others take their sum, and their two biases have one gradient. states: h, or h and c.
// kept: what the forward pass keeps of a step and row for BPTT besides the output, in blocks of hidden_size.
// tanh and relu are Elman's; identity makes of one step without a recurrent term a linear layer, y = W x + b.
#define ELMAN_CELLS(X)                  \
  X(tanh, TanhCell, 1, 0, 1, 0)         \
  X(relu, ReluCell, 1, 0, 1, 0)         \
  X(identity, IdentityCell, 1, 0, 1, 0) \
  X(gru, GruCell, 3, 1, 1, 4)           \
  X(lstm, LstmCell, 4, 0, 2, 5)

#define ELMAN_CELL(name, ...) name,
enum class Cell : std::uint8_t { ELMAN_CELLS(ELMAN_CELL) };
#undef ELMAN_CELL

struct CellSizes {
  const char* name;
  int gates, apart, states, kept;
  bool side_by_side = true;  // whether a unit's gates are: for a cell that takes all of them at once
};

#define ELMAN_CELL(name, type, gates, apart, states, kept) {#name, gates, apart, states, kept},
// Internal to each unit: what is compiled once per instruction set may share no function with the linker.
static constexpr CellSizes kCells[] = {ELMAN_CELLS(ELMAN_CELL)};
#undef ELMAN_CELL

static inline constexpr const CellSizes& sizes(Cell cell) { return kCells[static_cast<int>(cell)]; }

}  // namespace elman
