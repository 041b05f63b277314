// Vectors as wide as the instruction set being compiled. The compiler's vector types do the arithmetic, so one
// source serves every level; each lane is a sum of its own, so the width never shows in a result.
#pragma once

#include <cstddef>
#include <cstdint>

#if ELMAN_VECTOR_BYTES > 16
#include <immintrin.h>
#endif

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

template <class T>
[[gnu::always_inline]] inline typename VectorOf<T>::Bits bits_of(Vector<T> value) noexcept {
  return reinterpret_cast<typename VectorOf<T>::Bits>(value);
}

template <class T>
[[gnu::always_inline]] inline Vector<T> from_bits(typename VectorOf<T>::Bits bits) noexcept {
  return reinterpret_cast<Vector<T>>(bits);
}

inline float fused_multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused_multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }

// a * b + c, rounded once wherever the processor can (g++ has no vector spelling for it; the loop becomes one
// instruction).
template <class V, class = decltype(V{}[0])>
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

// The same with an instruction of its own, for the micro-kernel: around those that g++ makes of loops it uses more
// registers than there are, which costs a tile of 5 or 6 rows 5%. tanh would take 4% longer: g++ takes no minus sign
// into them.
#if ELMAN_VECTOR_BYTES == 64
inline Vector<float> add_product(Vector<float> sum, Vector<float> a, Vector<float> b) {
  return _mm512_fmadd_ps(a, b, sum);
}
inline Vector<double> add_product(Vector<double> sum, Vector<double> a, Vector<double> b) {
  return _mm512_fmadd_pd(a, b, sum);
}
#elif ELMAN_VECTOR_BYTES == 32
inline Vector<float> add_product(Vector<float> sum, Vector<float> a, Vector<float> b) {
  return _mm256_fmadd_ps(a, b, sum);
}
inline Vector<double> add_product(Vector<double> sum, Vector<double> a, Vector<double> b) {
  return _mm256_fmadd_pd(a, b, sum);
}
#else
template <class V>
[[gnu::always_inline]] inline V add_product(V sum, V a, V b) {
  return multiply_add(a, b, sum);
}
#endif

template <class T>
[[gnu::always_inline]] inline Vector<T> broadcast(T value) {
  return value - Vector<T>{};  // - 0 leaves every value as it is, -0 too, and compiles to nothing
}

// The smaller of the two; NaN stays.
#if ELMAN_VECTOR_BYTES == 32
inline Vector<float> at_most(Vector<float> x, Vector<float> limit) { return _mm256_min_ps(limit, x); }
inline Vector<double> at_most(Vector<double> x, Vector<double> limit) { return _mm256_min_pd(limit, x); }
#else
template <class V>
inline V at_most(V x, V limit) {
  return x > limit ? limit : x;
}
#endif

// Whether a comparison holds for any lane.
template <class Mask>
[[gnu::always_inline]] inline bool any(const Mask& mask) {
#if ELMAN_VECTOR_BYTES == 32
  return !_mm256_testz_si256(reinterpret_cast<__m256i>(mask), reinterpret_cast<__m256i>(mask));
#else
  std::uint64_t parts[sizeof mask / 8], either = 0;
  __builtin_memcpy(parts, &mask, sizeof mask);
  for (const std::uint64_t part : parts) either |= part;
  return either != 0;
#endif
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

// The first `count` lanes, fewer than all; nothing behind them is touched, and what is loaded for the others is zero.
#if ELMAN_VECTOR_BYTES == 64
inline Vector<float> load_part(const float* from, int count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline Vector<double> load_part(const double* from, int count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
inline void store_part(float* to, int count, Vector<float> value) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), value);
}
inline void store_part(double* to, int count, Vector<double> value) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), value);
}
#elif ELMAN_VECTOR_BYTES == 32
inline __m256i first_floats(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_doubles(int count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline Vector<float> load_part(const float* from, int count) { return _mm256_maskload_ps(from, first_floats(count)); }
inline Vector<double> load_part(const double* from, int count) {
  return _mm256_maskload_pd(from, first_doubles(count));
}
inline void store_part(float* to, int count, Vector<float> value) {
  _mm256_maskstore_ps(to, first_floats(count), value);
}
inline void store_part(double* to, int count, Vector<double> value) {
  _mm256_maskstore_pd(to, first_doubles(count), value);
}
#else
template <class T>
inline Vector<T> load_part(const T* from, int count) {
  Vector<T> value{};
  for (int i = 0; i < count; ++i) value[i] = from[i];
  return value;
}
template <class T>
inline void store_part(T* to, int count, Vector<T> value) {
  for (int i = 0; i < count; ++i) to[i] = value[i];
}
#endif

// The first `count` lanes, `stride` elements apart; the others are zero.
template <class T>
inline Vector<T> load(const T* from, std::ptrdiff_t stride, int count) noexcept {
  if (stride == 1) return count == kLanes<T> ? load(from) : load_part(from, count);
  Vector<T> value{};
  for (int i = 0; i < count; ++i) value[i] = from[i * stride];
  return value;
}

template <class T>
inline void store(T* to, int count, Vector<T> value) {
  count == kLanes<T> ? store(to, value) : store_part(to, count, value);
}

}  // namespace
}  // namespace elman
