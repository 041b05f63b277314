// simd/vector.h for a thread of a GPU: vectors of one lane. What is written over vectors (tanh, sigma, the cells) is
// then the very operations of the CPU, each rounded alike: it is compiled without contraction, and divides as IEEE has
// it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/device.h"

#define ELMAN_VECTOR_BYTES 4
#ifndef __FMA__
#define __FMA__ 1
#endif

namespace elman {
namespace {

template <class T>
struct VectorOf;

template <>
struct VectorOf<float> {
  typedef float Values;
  typedef std::uint32_t Bits;
};

template <class T>
using Vector = typename VectorOf<T>::Values;

template <class T>
inline constexpr int kLanes = 1;

template <class T>
inline std::uint32_t bits_of(float value) {
  return __float_as_uint(value);
}

template <class T>
inline float from_bits(std::uint32_t bits) {
  return __uint_as_float(bits);
}

inline float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }

template <class T>
inline T broadcast(T value) {
  return value;
}

inline float at_most(float x, float limit) { return x > limit ? limit : x; }  // NaN stays
inline bool any(bool holds) { return holds; }

template <class T>
inline T load(const T* from) {
  return *from;
}
template <class T>
inline T load(const T* from, std::ptrdiff_t, int) {
  return *from;
}
template <class T>
inline void store(T* to, T value) {
  *to = value;
}
template <class T>
inline void store(T* to, int, T value) {
  *to = value;
}

}  // namespace
}  // namespace elman
