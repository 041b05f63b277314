// tanh(x) = E / (E + 2) with E = e^{2x} - 1, carried with its rounding error, so that the result is off by
// little more than the last rounding (at most 0.54 units in the last place in float32, 0.69 in float64).
// tanh of 1 ulp would make a hidden size of 1 less exact than PyTorch's.
#pragma once

#include "simd/vector.h"

namespace elman {
namespace {

template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kLargest = 20.0f;          // of 2|x|: beyond, tanh rounds to 1
  static constexpr float kRound = 0x1.8p23f;        // added and taken away: rounds to an integer
  static constexpr int kMantissaBits = 23;
  static constexpr float kLogarithm = 0x1.62e4p-1f;     // ln 2 = kLogarithm + kLogarithmRest; the first
  static constexpr float kLogarithmRest = 0x1.7f7d1cp-20f;  // has zeros at its end: small multiples are exact
  // (e^r - 1 - r - r^2/2) / r^3 for |r| <= ln(2)/2, Chebyshev interpolation, error 9e-9
  static constexpr float kSeries[] = {0.16666666666666667f, 0.041666550110305124f, 0.0083333203866330869f,
                                      0.0013926926614021906f, 0.00019883523517486387f};
};

template <>
struct TanhConstants<double> {
  static constexpr double kLargest = 40.0;
  static constexpr double kRound = 0x1.8p52;
  static constexpr int kMantissaBits = 52;
  static constexpr double kLogarithm = 0x1.62e42fefap-1;
  static constexpr double kLogarithmRest = 0x1.cf79abc9e3b3ap-40;
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

template <class T>
inline Vector<T> tanh(Vector<T> x) {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = TanhConstants<T>;
  const Bits sign = reinterpret_cast<Bits>(x) & reinterpret_cast<Bits>(broadcast(T(-0.0)));
  const V magnitude = reinterpret_cast<V>(reinterpret_cast<Bits>(x) ^ sign);
  V z = magnitude + magnitude;
  z = z > C::kLargest ? broadcast(C::kLargest) : z;  // NaN compares false and stays

  // z = n ln 2 + r + r_rest, |r| <= ln(2)/2
  const V shifted = multiply_add(z, broadcast(T(1.4426950408889634)), broadcast(C::kRound));
  const V n = shifted - C::kRound;
  const V r_high = multiply_add(-n, broadcast(C::kLogarithm), z);  // exact
  const V r = multiply_add(-n, broadcast(C::kLogarithmRest), r_high);
  const V r_rest = multiply_add(-n, broadcast(C::kLogarithmRest), r_high - r);

  // e^r - 1 = r + square + rest
  constexpr int terms = sizeof(C::kSeries) / sizeof(T);
  V series = broadcast(C::kSeries[terms - 1]);
  for (int i = terms - 2; i >= 0; --i) series = multiply_add(series, r, broadcast(C::kSeries[i]));
  const V half = r * T(0.5);
  const V square = half * r;
  const V rest = multiply_add(r * r * r, series, product_error<T>(half, r, square)) + r_rest;

  // E = 2^n e^r - 1, largest terms first
  const Bits exponent = reinterpret_cast<Bits>(shifted) << C::kMantissaBits;
  const V scale = reinterpret_cast<V>(exponent + reinterpret_cast<Bits>(broadcast(T(1))));
  const Sum<V> linear = add_exactly(scale - T(1), scale * r);
  const Sum<V> quadratic = add_exactly(linear.sum, scale * square);
  const Sum<V> all = add_exactly(quadratic.sum, scale * rest);
  const V e = all.sum;
  const V e_rest = linear.error + quadratic.error + all.error;

  // E / (E + 2): the quotient, then what it leaves over
  const V below = e + T(2);
  const V two = below - e;
  const V below_rest = (e - (below - two)) + (T(2) - two);
  const V inverse = T(1) / below;
  const V quotient = e * inverse;
  const V product = quotient * below;
  const V left = (e - product) - product_error<T>(quotient, below, product);
  const V left_rest = e_rest - quotient * (below_rest + e_rest);
  const V result = multiply_add(left + left_rest, inverse, quotient);
  return reinterpret_cast<V>(reinterpret_cast<Bits>(result) | sign);
}

}  // namespace
}  // namespace elman
