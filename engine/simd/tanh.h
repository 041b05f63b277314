// tanh(x) = 1 - 2 / (e^{2x} + 1) with the divisor, the quotient and the difference carried with their rounding errors,
// so that the result is off by little more than the last rounding (at most 0.54 units in the last place in float32).
// tanh of 1 ulp would make a hidden size of 1 less exact than PyTorch's.
#pragma once

#include "simd/several.h"

namespace elman {
namespace {

template <class T>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  static constexpr float kLargest = 10.0f;      // beyond, tanh rounds to 1
  static constexpr float kSmallest = 0x1p-14f;  // below, tanh rounds to its argument
  static constexpr float kRound = 0x1.8p23f;    // added and taken away: rounds to an integer
  static constexpr int kMantissaBits = 23;
  static constexpr float kHalfLogarithm = 0x1.62e4p-2f;         // ln(2)/2 is the sum of the two; the first
  static constexpr float kHalfLogarithmRest = 0x1.7f7d1cp-21f;  // has zeros at its end: small multiples are exact
  // tools/tanh_series.py: (e^r - 1 - r - r^2/2) / r^3 for |r| <= ln(2)/2, Chebyshev interpolation, then those
  // neighbours with which the largest error of tanh over all floats is least
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
  static constexpr double kSeries[] = {0.16666666666666666667,   0.041666666666666670074,   0.0083333333333333335605,
                                       0.0013888888888883326674, 0.00019841269841266133728, 0.000024801587327007186731,
                                       2.7557319240929863685e-6, 2.7557271810219799569e-7,  2.5052076780654500597e-8,
                                       2.0915442297780115217e-9, 1.6084831332283696025e-10};
};

// a + b - sum, where sum = a + b rounded; `a` must be the larger of the two, or zero.
template <class A, class B, class X>
[[gnu::always_inline]] inline X sum_error(const A& a, const B& b, const X& sum) {
  return b - (sum - a);
}

// a * b - product, where product = a * b rounded.
template <class T>
[[gnu::always_inline]] inline Vector<T> product_error(Vector<T> a, Vector<T> b, Vector<T> product) noexcept {
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
[[gnu::always_inline]] inline Vector<T> remainder(Vector<T> a, Vector<T> q, Vector<T> b) noexcept {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return multiply_add(-q, b, a);
#else
  const Vector<T> product = q * b;
  return (a - product) - product_error<T>(q, b, product);
#endif
}

// 4 (e^r - 1 - r - r^2/2) / r^3 at r = 2h, where square = h^2. Beyond the first term even and odd powers are summed
// apart, which shortens the wait for the last of them.
template <class T, class X>
[[gnu::always_inline]] inline X series(const X& h, const X& square) {
  using C = TanhConstants<T>;
  constexpr int last = sizeof(C::kSeries) / sizeof(T) - 1;
  const auto term = [](int i) { return broadcast(C::kSeries[i] * T(4 << i)); };
  X ends_last = multiply_add(term(last), square, term(last - 2));
  X ends_before = multiply_add(term(last - 1), square, term(last - 3));
#pragma GCC unroll 8
  for (int i = last - 4; i > 0; i -= 2) ends_last = multiply_add(ends_last, square, term(i));
#pragma GCC unroll 8
  for (int i = last - 5; i > 0; i -= 2) ends_before = multiply_add(ends_before, square, term(i));
  constexpr bool last_is_odd = last % 2 == 1;  // then that sum holds the term of h, the other that of h^2
  const X &odd = last_is_odd ? ends_last : ends_before, &even = last_is_odd ? ends_before : ends_last;
  return multiply_add(multiply_add(even, h, odd), h, term(0));
}

// What tanh does to the bits of a vector.
template <class T>
struct TanhBits {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = TanhConstants<T>;

  static V magnitude(V x) noexcept {  // at most kLargest
    return at_most(from_bits<T>(bits_of<T>(x) & ~sign()), broadcast(C::kLargest));
  }

  // 2^-n for n + kRound
  static V scale(V shifted) noexcept {
    const Bits exponent = bits_of<T>(shifted) << C::kMantissaBits;
    return from_bits<T>(bits_of<T>(broadcast(T(1))) - exponent);
  }

  // 2^-n / 2, without a multiplication: there are many of those already
  static V half_scale(V shifted) noexcept {
    const Bits exponent = bits_of<T>(shifted) << C::kMantissaBits;
    return from_bits<T>(bits_of<T>(broadcast(T(0.5))) - exponent);
  }

  static V result(V x, V magnitude, V tanh) noexcept {
    tanh = magnitude < C::kSmallest ? magnitude : tanh;  // whose last bits the corrections do not reach
    return from_bits<T>(bits_of<T>(tanh) | (bits_of<T>(x) & sign()));
  }

 private:
  static Bits sign() noexcept { return bits_of<T>(broadcast(T(-0.0))); }
};

// What tanh and sigma are made of, in three parts, each of which hands its results to `then`. X is several vectors.
// Handed on as an aggregate, results keep g++ from holding them in registers.

// Of magnitudes m that are not negative then(shifted, h, h_rest), m = n ln(2)/2 + h + h_rest, |h| <= ln(2)/4, so that
// 2m = n ln 2 + 2h; `shifted` is n + kRound.
template <class T, class X, class Then>
[[gnu::always_inline]] inline decltype(auto) reduce(const X& magnitude, const Then& then) {
  using C = TanhConstants<T>;
  const X shifted = multiply_add(magnitude, broadcast(T(2.8853900817779268)), broadcast(C::kRound));
  const X minus_n = broadcast(C::kRound) - shifted;
  const X h_high = multiply_add(minus_n, broadcast(C::kHalfLogarithm), magnitude);  // exact
  const X h = multiply_add(minus_n, broadcast(C::kHalfLogarithmRest), h_high);
  const X h_rest = multiply_add(minus_n, broadcast(C::kHalfLogarithmRest), h_high - h);
  return then(shifted, h, h_rest);
}

// then(first, below, below_rest), below + below_rest = (2^-n + e^{2h}) / 2, where `half` is 2^-n / 2 and `first`
// 1/2 + half rounded, whose error is in none of the others: tanh does not see it.
template <class T, class X, class Then>
[[gnu::always_inline]] inline decltype(auto) denominator(const X& half, const X& h, const X& h_rest, const Then& then) {
  // (e^{2h} - 1) / 2 = h + square + rest
  const X square = h * h;
  const X rest = multiply_add(square * h, series<T>(h, square), on_each(product_error<T>, h, h, square)) + h_rest;

  // largest terms first
  const X first = half + broadcast(T(0.5));
  const X linear = first + h;
  const X quadratic = linear + square;
  const X below = quadratic + rest;
  const X below_rest =
      sum_error(first, h, linear) + sum_error(linear, square, quadratic) + sum_error(quadratic, rest, below);
  return then(first, below, below_rest);
}

// then(inverse, correction): e^{-2m} / (1 + e^{-2m}) is quotient (1 + correction), the quotient half times inverse.
template <class T, class X, class Then>
[[gnu::always_inline]] inline decltype(auto) invert(const X& below, const X& below_rest, const Then& then) {
  // with the rounded quotient, and what that left over
  const X inverse = broadcast(T(1)) / below;
  return then(inverse, multiply_add(-inverse, below_rest, on_each(remainder<T>, broadcast(T(1)), inverse, below)));
}

// All three: then(shifted, half, first, inverse, correction). `limit` sees to it that 2^-n is a number of the format.
template <class T, class X, class Limit, class Then>
[[gnu::always_inline]] inline X decay(const X& magnitude, const Limit& limit, const Then& then) {
  return reduce<T>(magnitude, [&](const X& shifted, const X& h, const X& h_rest) __attribute__((always_inline)) {
    const X half = on_each(TanhBits<T>::half_scale, limit(shifted));
    return denominator<T>(half, h, h_rest,
                          [&](const X& first, const X& below, const X& below_rest) __attribute__((always_inline)) {
                            return invert<T>(below, below_rest,
                                             [&](const X& inverse, const X& correction) __attribute__((always_inline)) {
                                               return then(shifted, half, first, inverse, correction);
                                             });
                          });
  });
}

// 1 - quotient (1 + correction)
template <class T, class X>
[[gnu::always_inline]] inline X one_minus(const X& quotient, const X& correction) {
  const X difference = broadcast(T(1)) - quotient;
  const X difference_error = (broadcast(T(1)) - difference) - quotient;
  return difference + multiply_add(-quotient, correction, difference_error);
}

template <class T, class X>
[[gnu::always_inline]] inline X tanh_of(const X& x, const X& magnitude, const X& half, const X& inverse,
                                        const X& correction) {
  return on_each(TanhBits<T>::result, x, magnitude, one_minus<T>((half + half) * inverse, correction));
}

// X is several vectors.
template <class T, class X>
[[gnu::always_inline]] inline X tanh(const X& x) {
  const X magnitude = on_each(TanhBits<T>::magnitude, x);
  return decay<T>(
      magnitude, [](const X& shifted) __attribute__((always_inline)) -> const X& { return shifted; },
      [&](const X&, const X& half, const X&, const X& inverse, const X& correction)
          __attribute__((always_inline)) { return tanh_of<T>(x, magnitude, half, inverse, correction); });
}

}  // namespace
}  // namespace elman
