// Vectors as wide as the instruction set being compiled. The compiler's vector types do the arithmetic, so one
// source serves every level; each lane is a sum of its own, so the width never shows in a result.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {
namespace {

template <class T>
struct VectorOf;

template <>
struct VectorOf<float> {
  typedef float Values __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
  typedef std::uint32_t Bits __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
};

template <>
struct VectorOf<double> {
  typedef double Values __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
  typedef std::uint64_t Bits __attribute__((vector_size(ELMAN_VECTOR_BYTES)));
};

template <class T>
using Vector = typename VectorOf<T>::Values;

template <class T>
inline constexpr int kLanes = ELMAN_VECTOR_BYTES / static_cast<int>(sizeof(T));

inline float fused_multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused_multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }

// a * b + c, rounded once wherever the processor can (g++ has no vector spelling for it; the loop becomes one
// instruction).
template <class V>
[[gnu::always_inline]] inline V multiply_add(V a, V b, V c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  constexpr int lanes = sizeof(V) / sizeof(a[0]);
  V result;
  for (int i = 0; i < lanes; ++i) result[i] = fused_multiply_add(a[i], b[i], c[i]);
  return result;
#else
  return a * b + c;
#endif
}

template <class T>
[[gnu::always_inline]] inline Vector<T> broadcast(T value) {
  return value - Vector<T>{};  // - 0 leaves every value as it is, -0 too, and compiles to nothing
}

template <class T>
[[gnu::always_inline]] inline Vector<T> load(const T* from) {
  Vector<T> value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
[[gnu::always_inline]] inline void store(T* to, Vector<T> value) {
  __builtin_memcpy(to, &value, sizeof value);
}

// The first `count` lanes, `stride` elements apart; the others are zero.
template <class T>
inline Vector<T> load(const T* from, std::ptrdiff_t stride, int count) {
  if (stride == 1 && count == kLanes<T>) return load(from);
  Vector<T> value{};
  for (int i = 0; i < count; ++i) value[i] = from[i * stride];
  return value;
}

template <class T>
inline void store(T* to, int count, Vector<T> value) {
  if (count == kLanes<T>) return store(to, value);
  for (int i = 0; i < count; ++i) to[i] = value[i];
}

}  // namespace
}  // namespace elman
