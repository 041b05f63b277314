// The recurrence for one instruction set. Compiled once per level, with that level's flags, ELMAN_VECTOR_BYTES and
// ELMAN_FUNCTIONS, the name of the table below. All else here is internal: a linker must never take one level's
// copy of a function for another's.
#include "dispatch/level.h"

#include "cells/elman.h"
#include "recurrence/backward.h"
#include "recurrence/forward.h"

namespace elman {
namespace {

template <class T>
void run_forward(const Forward<T>& call) {
  if (call.nonlinearity == Nonlinearity::tanh) {
    ForwardPass<T, TanhCell>(call).run();
  } else {
    ForwardPass<T, ReluCell>(call).run();
  }
}

template <class T>
void run_backward(const Backward<T>& call) {
  if (call.nonlinearity == Nonlinearity::tanh) {
    BackwardPass<T, TanhCell>(call).run();
  } else {
    BackwardPass<T, ReluCell>(call).run();
  }
}

}  // namespace

extern const Functions ELMAN_FUNCTIONS = {run_forward<float>, run_forward<double>, run_backward<float>,
                                          run_backward<double>};

}  // namespace elman
