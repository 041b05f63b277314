// tanh(x) = 1 - 2 / (e^{2x} + 1) with the divisor, the quotient and the difference carried with their rounding errors,
// so that the result is off by little more than the last rounding (at most 0.54 units in the last place in float32).
// tanh of 1 ulp would make a hidden size of 1 less exact than PyTorch's.
#pragma once

#include "simd/vector.h"

namespace elman {
namespace {

template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kLargest = 10.0f;          // beyond, tanh rounds to 1
  static constexpr float kSmallest = 0x1p-14f;      // below, tanh rounds to its argument
  static constexpr float kRound = 0x1.8p23f;        // added and taken away: rounds to an integer
  static constexpr int kMantissaBits = 23;
  static constexpr float kHalfLogarithm = 0x1.62e4p-2f;         // ln(2)/2 is the sum of the two; the first
  static constexpr float kHalfLogarithmRest = 0x1.7f7d1cp-21f;  // has zeros at its end: small multiples are exact
  // (e^r - 1 - r - r^2/2) / r^3 for |r| <= ln(2)/2: Chebyshev interpolation, then those neighbours with which the
  // largest error of tanh over all floats is least
  static constexpr float kSeries[] = {0.16666668653488159f, 0.041666474193334579f, 0.0083331344649195671f,
                                      0.0013930419227108359f, 0.00019883523054886609f};
};

template <>
struct TanhConstants<double> {
  static constexpr double kLargest = 20.0;
  static constexpr double kSmallest = 0x1p-29;
  static constexpr double kRound = 0x1.8p52;
  static constexpr int kMantissaBits = 52;
  static constexpr double kHalfLogarithm = 0x1.62e42fefap-2;
  static constexpr double kHalfLogarithmRest = 0x1.cf79abc9e3b3ap-41;
  // error 1.1e-19
  static constexpr double kSeries[] = {0.16666666666666666667,    0.041666666666666670074,
                                       0.0083333333333333335605,  0.0013888888888883326674,
                                       0.00019841269841266133728, 0.000024801587327007186731,
                                       2.7557319240929863685e-6,  2.7557271810219799569e-7,
                                       2.5052076780654500597e-8,  2.0915442297780115217e-9,
                                       1.6084831332283696025e-10};
};

// sum + error == a + b exactly; `a` must be the larger of the two, or zero.
template <class V>
struct Sum {
  V sum, error;
};

template <class V>
[[gnu::always_inline]] inline Sum<V> add_exactly(V a, V b) {
  const V sum = a + b;
  return {sum, b - (sum - a)};
}

// a * b - product, where product = a * b rounded.
template <class T>
[[gnu::always_inline]] inline Vector<T> product_error(Vector<T> a, Vector<T> b, Vector<T> product) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return multiply_add(a, b, -product);
#else
  // Dekker: split each factor into halves whose products are exact.
  const T splitter = sizeof(T) == 4 ? T(0x1.0p12) + 1 : T(0x1.0p27) + 1;
  const Vector<T> a_scaled = a * splitter, b_scaled = b * splitter;
  const Vector<T> a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
  const Vector<T> a_low = a - a_high, b_low = b - b_high;
  return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
#endif
}

// a - q * b for a quotient q of a and b, which is exact.
template <class T>
[[gnu::always_inline]] inline Vector<T> remainder(Vector<T> a, Vector<T> q, Vector<T> b) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return multiply_add(-q, b, a);
#else
  const Vector<T> product = q * b;
  return (a - product) - product_error<T>(q, b, product);
#endif
}

// 4 (e^r - 1 - r - r^2/2) / r^3 at r = 2h, where square = h^2. Beyond the first term even and odd powers are summed
// apart, which shortens the wait for the last of them.
template <class T>
[[gnu::always_inline]] inline Vector<T> series(Vector<T> h, Vector<T> square) {
  using C = TanhConstants<T>;
  constexpr int last = sizeof(C::kSeries) / sizeof(T) - 1;
  const auto term = [](int i) { return broadcast(C::kSeries[i] * T(4 << i)); };
  Vector<T> ends_last = term(last), ends_before = term(last - 1);
#pragma GCC unroll 8
  for (int i = last - 2; i > 0; i -= 2) ends_last = multiply_add(ends_last, square, term(i));
#pragma GCC unroll 8
  for (int i = last - 3; i > 0; i -= 2) ends_before = multiply_add(ends_before, square, term(i));
  constexpr bool last_is_odd = last % 2 == 1;  // then that sum holds the term of h, the other that of h^2
  const Vector<T> odd = last_is_odd ? ends_last : ends_before, even = last_is_odd ? ends_before : ends_last;
  return multiply_add(multiply_add(even, h, odd), h, term(0));
}

template <class T>
[[gnu::always_inline]] inline Vector<T> tanh(Vector<T> x) {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = TanhConstants<T>;
  const Bits sign = reinterpret_cast<Bits>(broadcast(T(-0.0)));
  V magnitude = reinterpret_cast<V>(reinterpret_cast<Bits>(x) & ~sign);
  magnitude = magnitude > C::kLargest ? broadcast(C::kLargest) : magnitude;  // NaN compares false and stays

  // |x| = n ln(2)/2 + h + h_rest, |h| <= ln(2)/4, so that 2|x| = n ln 2 + 2h
  const V shifted = multiply_add(magnitude, broadcast(T(2.8853900817779268)), broadcast(C::kRound));
  const V n = shifted - C::kRound;
  const V h_high = multiply_add(-n, broadcast(C::kHalfLogarithm), magnitude);  // exact
  const V h = multiply_add(-n, broadcast(C::kHalfLogarithmRest), h_high);
  const V h_rest = multiply_add(-n, broadcast(C::kHalfLogarithmRest), h_high - h);

  // (e^{2h} - 1) / 2 = h + square + rest
  const V square = h * h;
  const V rest = multiply_add(square * h, series<T>(h, square), product_error<T>(h, h, square)) + h_rest;

  // below = (2^-n + e^{2h}) / 2, largest terms first
  const Bits exponent = reinterpret_cast<Bits>(shifted) << C::kMantissaBits;
  const V scale = reinterpret_cast<V>(reinterpret_cast<Bits>(broadcast(T(1))) - exponent);  // 2^-n
  const Sum<V> linear = add_exactly(multiply_add(scale, broadcast(T(0.5)), broadcast(T(0.5))), h);
  const Sum<V> quadratic = add_exactly(linear.sum, square);
  const Sum<V> all = add_exactly(quadratic.sum, rest);
  const V below = all.sum;
  const V below_rest = linear.error + quadratic.error + all.error;

  // 1 - 2^-n / below: with the rounded quotient, and what that left over
  const V inverse = T(1) / below;
  const V quotient = scale * inverse;  // exact
  const V correction = multiply_add(-inverse, below_rest, remainder<T>(broadcast(T(1)), inverse, below));
  const Sum<V> difference = add_exactly(broadcast(T(1)), -quotient);
  V result = difference.sum + multiply_add(-quotient, correction, difference.error);
  result = magnitude < C::kSmallest ? magnitude : result;  // whose last bits the corrections do not reach
  return reinterpret_cast<V>(reinterpret_cast<Bits>(result) | (reinterpret_cast<Bits>(x) & sign));
}

}  // namespace
}  // namespace elman
