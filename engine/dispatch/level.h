// An instruction set: a name, whether this machine has it, and the functions compiled for it.
#pragma once

#include "elman/engine.h"

namespace elman {

struct Functions {
  void (*forward_float)(const Forward<float>&);
  void (*forward_double)(const Forward<double>&);
  void (*backward_float)(const Backward<float>&);
  void (*backward_double)(const Backward<double>&);
};

// One a compilation of level.cpp.
extern const Functions functions_avx512;
extern const Functions functions_avx2;
extern const Functions functions_baseline;

}  // namespace elman
