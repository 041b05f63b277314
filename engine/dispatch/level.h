// An instruction set: a name, whether this machine has it, and the functions compiled for it.
#pragma once

#include "elman/engine.h"

namespace elman {

// A layer's weights as the recurrence of one instruction set reads them.
template <class T>
struct LayerWeights {
  std::int64_t input_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t recurrent_depth = 0;    // hidden_size, or 0 without a recurrent term
  const T* input = nullptr;            // W_ih^T in panels
  const T* recurrent = nullptr;        // W_hh^T in panels
  const T* recurrent_apart = nullptr;  // of a program, that of the gates apart
  const T* bias = nullptr;             // b_ih + b_hh (gates * hidden_size), of the gates apart b_ih alone
  const T* recurrent_bias = nullptr;   // b_hh (apart * hidden_size); either is readable to the end of the last vector
  const T* zeros = nullptr;            // (hidden_size), the initial state where none is given
  // Of a call that reads each panel once, the matrices themselves, whose panels are made in `room` as they are read.
  const T* input_rows = nullptr;
  const T* recurrent_rows = nullptr;
  const T* recurrent_apart_rows = nullptr;
  T* room = nullptr;
};

template <class T>
struct FunctionsOf {
  std::int64_t (*packed_size)(const Weights<T>&, const CellSizes&);  // elements that packing takes
  // memory: 64-byte aligned, kept by the caller; sequence: that of the one call that reads them, null: of any
  LayerWeights<T> (*pack)(const Weights<T>&, const CellSizes&, T* memory, int threads, const Sequence*);
  // plan: of the call's program; null: the cell is one of the list
  void (*forward)(const Forward<T>&, const LayerWeights<T>&, const Plan*);
  void (*backward)(const Backward<T>&, const Plan*);
};

struct Functions {
  FunctionsOf<float> of_float;
  FunctionsOf<double> of_double;
};

template <class T>
const FunctionsOf<T>& of(const Functions& functions) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return functions.of_float;
  } else {
    return functions.of_double;
  }
}

// One a compilation of level.cpp.
extern const Functions functions_avx512;
extern const Functions functions_avx2;
extern const Functions functions_baseline;

}  // namespace elman
