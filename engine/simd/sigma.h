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
  static constexpr float kLargestHalf = 52.0f;    // of |x|: e^-104 rounds to 0
  static constexpr float kMostHalvings = 100.0f;  // of a normal number at once
  static constexpr float kNear = 34.0f;           // of |x| / 2: fewer halvings
};

template <>
struct SigmaConstants<double> {
  static constexpr double kLargestHalf = 373.0;
  static constexpr double kMostHalvings = 1000.0;
  static constexpr double kNear = 346.0;
};

// What sigma does to the bits of a vector.
template <class T>
struct SigmaBits {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = SigmaConstants<T>;
  static constexpr T kRound = TanhConstants<T>::kRound;

  static V half_magnitude(V x) noexcept {
    return from_bits<T>(bits_of<T>(x) & ~bits_of<T>(broadcast(T(-0.0)))) * broadcast(T(0.5));
  }

  static V limit(V half_magnitude) noexcept { return at_most(half_magnitude, broadcast(C::kLargestHalf)); }

  // n + kRound for the first of two factors of 2^-n, which both are normal numbers.
  static V first_halvings(V shifted) noexcept { return at_most(shifted, broadcast(kRound + C::kMostHalvings)); }

  static V choose(V x, V below_half, V above_half) noexcept { return x < 0 ? below_half : above_half; }
};

// Of what `decay` hands on; scale(y) takes y by what of 2^-n is not in `half`.
template <class T, class X, class Scale>
[[gnu::always_inline]] inline X sigma_from(const X& x, const X& half, const X& first, const X& inverse,
                                           const X& of_tanh, const Scale& scale) {
  const X first_rest = (broadcast(T(0.5)) - first) + half;
  const X correction = multiply_add(-inverse, first_rest, of_tanh);
  const X quotient = inverse * half;
  return on_each(SigmaBits<T>::choose, x, scale(multiply_add(quotient, correction, quotient)),
                 one_minus<T>(scale(quotient), correction));
}

// X is several vectors, half_magnitude |x| / 2. Where any x is far from 0, 2^-n is of two factors, the second of which
// is 1 for all else.
template <bool kFar, class T, class X>
[[gnu::always_inline]] inline X sigma_of(const X& x, const X& half_magnitude) {
  const auto limit = [](const X& shifted) __attribute__((always_inline)) {
    if constexpr (kFar) return on_each(SigmaBits<T>::first_halvings, shifted);
    return shifted;
  };
  return decay<T>(
      half_magnitude, limit,
      [&](const X& shifted, const X& half, const X& first, const X& inverse, const X& of_tanh)
          __attribute__((always_inline)) {
            return sigma_from<T>(x, half, first, inverse, of_tanh, [&](const X& scaled) __attribute__((always_inline)) {
              if constexpr (!kFar) return scaled;
              const X rest_of_halvings = shifted - limit(shifted);
              const X rest = on_each(TanhBits<T>::scale, rest_of_halvings + broadcast(TanhConstants<T>::kRound));
              return scaled * rest;
            });
          });
}

// One at a time: what is handed on by its address does not stay in registers.
template <class T>
[[gnu::noinline]] Vector<T> sigma_far(Vector<T> x) {
  const Several<Vector<T>, 1> half_magnitude{{SigmaBits<T>::limit(SigmaBits<T>::half_magnitude(x))}};
  return sigma_of<true, T>(Several<Vector<T>, 1>{{x}}, half_magnitude).each[0];
}

// X is several vectors.
template <class T, class X>
[[gnu::always_inline]] inline X sigma(const X& x) {
  const X half_magnitude = on_each(SigmaBits<T>::half_magnitude, x);
  if (any_above(half_magnitude, SigmaConstants<T>::kNear)) [[unlikely]]
    return on_each(sigma_far<T>, x);
  return sigma_of<false, T>(x, half_magnitude);
}

}  // namespace
}  // namespace elman
