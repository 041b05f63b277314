// e^x, off by little more than the last rounding, and softplus(x) = log(1 + e^x).
#pragma once

#include "simd/logarithm.h"
#include "simd/tanh.h"

namespace elman {
namespace {

template <class T>
struct ExponentialConstants;

// Beyond these e^x rounds to infinity and to 0.
template <>
struct ExponentialConstants<float> {
  static constexpr float kLargest = 89.0f, kSmallest = -104.0f;
};

template <>
struct ExponentialConstants<double> {
  static constexpr double kLargest = 710.0, kSmallest = -746.0;
};

// X is several vectors. With x = n ln 2 + 2h it is 2^n e^{2h}, and e^{2h} / 2 the sum that tanh is made of.
template <class T, class X>
[[gnu::always_inline]] inline X exponential(const X& x) {
  using C = TanhConstants<T>;
  const X half_x = on_each(
      [](Vector<T> each) __attribute__((always_inline)) {
        using Ends = ExponentialConstants<T>;
        each = each > Ends::kLargest ? broadcast(Ends::kLargest) : each;
        each = each < Ends::kSmallest ? broadcast(Ends::kSmallest) : each;  // NaN stays
        return each * broadcast(T(0.5));
      },
      x);
  const X minus_n = broadcast(C::kRound) - multiply_add(half_x, broadcast(T(2.8853900817779268)), broadcast(C::kRound));
  const X h_high = multiply_add(minus_n, broadcast(C::kHalfLogarithm), half_x);  // exact
  const X h = multiply_add(minus_n, broadcast(C::kHalfLogarithmRest), h_high);
  const X h_rest = multiply_add(minus_n, broadcast(C::kHalfLogarithmRest), h_high - h);
  const X square = h * h;
  const X rest = multiply_add(square * h, series<T>(h, square), on_each(product_error<T>, h, h, square)) + h_rest;
  const X half = on_each([](const auto&) __attribute__((always_inline)) { return broadcast(T(0.5)); }, h);
  const X linear = half + h;
  const X quadratic = linear + square;
  const X sum = quadratic + (rest + (sum_error(half, h, linear) + sum_error(linear, square, quadratic)));

  // 2^(n + 1) in two factors, which both are normal numbers
  const X first = multiply_add(minus_n, broadcast(T(0.5)), broadcast(C::kRound)) - broadcast(C::kRound);
  const X second = minus_n - first - broadcast(T(1));
  const X scaled = sum * on_each(TanhBits<T>::scale, first + broadcast(C::kRound));
  return scaled * on_each(TanhBits<T>::scale, second + broadcast(C::kRound));
}

// max(x, 0) + log(1 + e^-|x|), where 1 + e^-|x| is carried with its rounding error.
template <class T, class X>
[[gnu::always_inline]] inline X softplus(const X& x) {
  const X minus_magnitude =
      on_each([](Vector<T> each) __attribute__((always_inline)) { return each < 0 ? each : -each; }, x);
  const X decay = exponential<T>(minus_magnitude);
  const X one = on_each([](const auto&) __attribute__((always_inline)) { return broadcast(T(1)); }, x);
  const X sum = one + decay;
  const X logarithm_of_sum = logarithm<T>(sum) + sum_error(one, decay, sum) / sum;
  return on_each([](Vector<T> each) __attribute__((always_inline)) { return each < 0 ? Vector<T>{} : each; }, x) +
         logarithm_of_sum;
}

}  // namespace
}  // namespace elman
