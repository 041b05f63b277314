// What engine/cuda/device.h asks for, as plain C++: the threads of a block are fibers of one thread of the operating
// system, which take turns at __syncthreads(). The blocks of a grid run one after another.
#pragma once

#include <cstdint>
#include <cstring>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct Place {
  unsigned x, y, z;
};

struct alignas(16) float4 {
  float x, y, z, w;
};

// Of the fiber that runs.
extern Place threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads();

inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }

inline std::uint32_t __float_as_uint(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float __uint_as_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

extern "C" float* elman_shared_memory();

namespace elman {
namespace {

inline float* shared_memory() { return elman_shared_memory(); }

}  // namespace
}  // namespace elman
