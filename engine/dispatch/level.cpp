// The recurrence for one instruction set. Compiled once per level, with that level's flags, ELMAN_VECTOR_BYTES and
// ELMAN_FUNCTIONS, the name of the table below. All else here is internal: a linker must never take one level's
// copy of a function for another's.
#include "dispatch/level.h"

#include "cells/elman.h"
#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/program.h"
#include "recurrence/backward.h"
#include "recurrence/forward.h"
#include "recurrence/layer_weights.h"

namespace elman {
namespace {

// Calls with a cell's mathematics and sizes.
template <class Call>
void with_cell(Cell cell, const Call& call) {
  switch (cell) {
#define ELMAN_CELL(name, type, gates, apart, states, kept) \
  case Cell::name: return call(SizedCell<type, gates, apart, states, kept>{});
    ELMAN_CELLS(ELMAN_CELL)
#undef ELMAN_CELL
  }
}

template <class T>
void run_forward(const Forward<T>& call, const LayerWeights<T>& weights, const Plan* plan) {
  const auto run = [&](auto cell) { ForwardPass<T, decltype(cell)>(call, weights, cell).run(); };
  plan ? run(ProgramCell{plan}) : with_cell(call.cell, run);
}

template <class T>
void run_backward(const Backward<T>& call, const Plan* plan) {
  const auto run = [&](auto cell) { BackwardPass<T, decltype(cell)>(call, cell).run(); };
  plan ? run(ProgramCell{plan}) : with_cell(call.cell, run);
}

}  // namespace

extern const Functions ELMAN_FUNCTIONS = {
    {packed_size<float>, pack_layer<float>, run_forward<float>, run_backward<float>},
    {packed_size<double>, pack_layer<double>, run_forward<double>, run_backward<double>},
};

}  // namespace elman
