// One kernel: ELMAN_FUNCTION over ELMAN_ARGUMENTS, of at most ELMAN_THREADS threads a block. Directions side by side
// are blocks behind one another along z.
#pragma once

#include "cuda/backward.h"
#include "cuda/forward.h"
#include "cuda/gradients.h"
#include "cuda/products.h"

namespace elman {

struct OfDirections {
  ELMAN_ARGUMENTS each[2];
};

}  // namespace elman

extern "C" __global__ void __launch_bounds__(ELMAN_THREADS, 1)
    elman_kernel(const __grid_constant__ elman::OfDirections arguments) {
  using namespace elman;
  ELMAN_FUNCTION(arguments.each[blockIdx.z]);
}
