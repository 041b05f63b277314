// What operations do to vectors.
#pragma once

#include "simd/exponential.h"
#include "simd/sigma.h"

namespace elman {
namespace {

template <class T>
struct Operations {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;

  static V absolute(V a) noexcept { return from_bits<T>(bits_of<T>(a) & ~bits_of<T>(broadcast(T(-0.0)))); }
  static V minimum(V a, V b) noexcept { return a != a ? a : a < b ? a : b; }
  static V maximum(V a, V b) noexcept { return a != a ? a : a > b ? a : b; }
  static V less(V a, V b) noexcept { return a < b ? broadcast(T(1)) : V{}; }
  static V less_equal(V a, V b) noexcept { return a <= b ? broadcast(T(1)) : V{}; }
  static V equal(V a, V b) noexcept { return a == b ? broadcast(T(1)) : V{}; }
  static V select(V mask, V a, V b) noexcept { return mask != 0 ? a : b; }
  static V relu(V a) noexcept { return a <= 0 ? V{} : a; }
  static V square_root(V a) noexcept {
    for (int i = 0; i < kLanes<T>; ++i) {
      if constexpr (sizeof(T) == sizeof(float)) {
        a[i] = __builtin_sqrtf(a[i]);
      } else {
        a[i] = __builtin_sqrt(a[i]);
      }
    }
    return a;
  }
};

// The units of a row in the order that elman/program.h tells.
template <class T>
T sum_of_row(const T* from, std::ptrdiff_t unit, std::int64_t units) {
  constexpr int kSums = 16, kVectors = kSums / kLanes<T>;
  Vector<T> sums[kVectors] = {};
  std::int64_t i = 0;
  for (; i + kSums <= units; i += kSums) {
    for (int v = 0; v < kVectors; ++v) sums[v] += load(from + (i + v * kLanes<T>)*unit);
  }
  for (int v = 0; v < kVectors && i < units; ++v, i += kLanes<T>) {
    const int lanes = static_cast<int>(units - i < kLanes<T> ? units - i : kLanes<T>);
    sums[v] += load(from + i * unit, 1, lanes);
  }
  T all[kSums];
  for (int v = 0; v < kVectors; ++v) store(all + v * kLanes<T>, sums[v]);
  for (int apart = kSums / 2; apart > 0; apart /= 2) {
    for (int j = 0; j < apart; ++j) all[j] += all[j + apart];
  }
  return all[0];
}

}  // namespace
}  // namespace elman
