// What the kernels use of CUDA. Compiled as plain C++ it is a stand-in (cuda_threads.h), with which they are tested
// where there is no GPU.
#pragma once

#ifdef __CUDACC__

namespace elman {
namespace {

// The block's memory, as much as its launch asked for.
__device__ inline float* shared_memory() {
  extern __shared__ float4 elman_shared[];
  return reinterpret_cast<float*>(elman_shared);
}

}  // namespace
}  // namespace elman

#else
#include "cuda_threads.h"
#endif
