// The logistic function, sigma(x) = 1 / (1 + e^{-x}), from what tanh is made of: with q = e^{-|x|} / (1 + e^{-|x|}) it
// is 1 - q, and q itself where x is negative, so that small values are as exact as large ones.
#pragma once

#include "simd/tanh.h"

namespace elman {
namespace {

template <class T>
struct SigmaConstants;

template <>
struct SigmaConstants<float> {
  static constexpr float kLargestHalf = 52.0f;    // e^-104 rounds to 0
  static constexpr float kMostHalvings = 100.0f;  // of a normal number at once
};

template <>
struct SigmaConstants<double> {
  static constexpr double kLargestHalf = 373.0;
  static constexpr double kMostHalvings = 1000.0;
};

// What sigma does to the bits of a vector.
template <class T>
struct SigmaBits {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = SigmaConstants<T>;
  static constexpr T kRound = TanhConstants<T>::kRound;

  static V half_magnitude(V x) noexcept {  // at most kLargestHalf; NaN stays
    const V half = from_bits<T>(bits_of<T>(x) & ~bits_of<T>(broadcast(T(-0.0)))) * broadcast(T(0.5));
    return half > C::kLargestHalf ? broadcast(C::kLargestHalf) : half;
  }

  // n + kRound for the first of two factors of 2^-n, which both are normal numbers.
  static V first_halvings(V shifted) noexcept {
    return shifted > kRound + C::kMostHalvings ? broadcast(kRound + C::kMostHalvings) : shifted;
  }

  static V choose(V x, V below_half, V above_half) noexcept { return x < 0 ? below_half : above_half; }
};

// X is several vectors.
template <class T, class X>
[[gnu::always_inline]] inline X sigma(const X& x) {
  const auto limit = [](const X& shifted)
                         __attribute__((always_inline)) { return on_each(SigmaBits<T>::first_halvings, shifted); };
  return decay<T>(on_each(SigmaBits<T>::half_magnitude, x), limit,
                  [&](const X& shifted, const X& scale, const X& first, const X& inverse,
                      const X& of_tanh) __attribute__((always_inline)) {
                    const X rest_of_halvings = shifted - limit(shifted);
                    const X rest = on_each(TanhBits<T>::scale, rest_of_halvings + broadcast(TanhConstants<T>::kRound));
                    const X half = scale * broadcast(T(0.5));
                    const X first_rest = (broadcast(T(0.5)) - first) + half;
                    const X correction = multiply_add(-inverse, first_rest, of_tanh);
                    const X below_half = (multiply_add(inverse, correction, inverse) * half) * rest;
                    const X above_half = one_minus<T>((inverse * half) * rest, correction);
                    return on_each(SigmaBits<T>::choose, x, below_half, above_half);
                  });
}

}  // namespace
}  // namespace elman
