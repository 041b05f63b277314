// The natural logarithm, off by less than a unit in the last place: with x = 2^k (1 + f), 1 + f between sqrt(1/2) and
// sqrt(2), and s = f / (2 + f), log(1 + f) is 2 atanh(s) = f - s (f - R(s^2)), R a polynomial.
#pragma once

#include "simd/several.h"

namespace elman {
namespace {

template <class T>
struct LogarithmConstants;

template <>
struct LogarithmConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr std::uint32_t kOne = 0x3f800000, kRootOfHalf = 0x3f3504f3, kMantissa = 0x007fffff;
  static constexpr float kSmallest = 0x1p-126f, kScale = 0x1p23f;
  static constexpr float kIntegers = 0x1p23f, kBias = 0x1p23f + 127;  // the bits of 2^23 + i end in those of i
  static constexpr float kLogarithm = 0x1.62e3p-1f, kLogarithmRest = 0x1.2fefa2p-17f;  // ln(2) is the sum of the two
  // of (log(1 + s) - log(1 - s) - 2s) / s^3 in s^2
  static constexpr float kSeries[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f, 0xf89e26.0p-26f};
};

template <>
struct LogarithmConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr std::uint64_t kOne = 0x3ff0000000000000, kRootOfHalf = 0x3fe6a09e667f3bcd,
                                 kMantissa = 0x000fffffffffffff;
  static constexpr double kSmallest = 0x1p-1022, kScale = 0x1p52;
  static constexpr double kIntegers = 0x1p52, kBias = 0x1p52 + 1023;
  static constexpr double kLogarithm = 6.93147180369123816490e-01, kLogarithmRest = 1.90821492927058770002e-10;
  static constexpr double kSeries[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                       2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                       1.479819860511658591e-01};
};

// What the logarithm does to the bits of a vector.
template <class T>
struct LogarithmBits {
  using V = Vector<T>;
  using Bits = typename VectorOf<T>::Bits;
  using C = LogarithmConstants<T>;

  static V normal(V x) noexcept { return x < C::kSmallest ? x * C::kScale : x; }
  static Bits shifted(V x) noexcept { return bits_of<T>(x) + (C::kOne - C::kRootOfHalf); }

  static V exponent(V x) noexcept {
    const V biased = from_bits<T>((shifted(normal(x)) >> C::kMantissaBits) | bits_of<T>(broadcast(C::kIntegers)));
    const V k = biased - C::kBias;
    return x < C::kSmallest ? k - T(C::kMantissaBits) : k;
  }
  static V fraction(V x) noexcept { return from_bits<T>((shifted(normal(x)) & C::kMantissa) + C::kRootOfHalf) - T(1); }

  static V result(V x, V logarithm) noexcept {
    const V zeros{};
    const V infinity = broadcast(T(1)) / zeros;
    logarithm = x == infinity ? infinity : logarithm;
    logarithm = x == zeros ? -infinity : logarithm;
    logarithm = x < zeros ? zeros / zeros : logarithm;
    return x == x ? logarithm : x;
  }
};

// X is several vectors.
template <class T, class X>
[[gnu::always_inline]] inline X logarithm(const X& x) {
  using C = LogarithmConstants<T>;
  constexpr int last = sizeof(C::kSeries) / sizeof(T) - 1;
  const X k = on_each(LogarithmBits<T>::exponent, x);
  const X f = on_each(LogarithmBits<T>::fraction, x);
  const X s = f / (f + broadcast(T(2)));
  const X square = s * s, fourth = square * square;
  const auto term = [](int i) { return broadcast(C::kSeries[i]); };
  X ends_last = multiply_add(term(last), fourth, term(last - 2));
  X ends_before = on_each([&](const auto&) __attribute__((always_inline)) { return term(last - 1); }, x);
#pragma GCC unroll 8
  for (int i = last - 4; i >= 0; i -= 2) ends_last = multiply_add(ends_last, fourth, term(i));
#pragma GCC unroll 8
  for (int i = last - 3; i >= 0; i -= 2) ends_before = multiply_add(ends_before, fourth, term(i));
  constexpr bool is_even = last % 2 == 0;
  const X &even = is_even ? ends_last : ends_before, &odd = is_even ? ends_before : ends_last;
  const X series = multiply_add(odd, fourth, even * square);
  const X half_square = f * f * broadcast(T(0.5));
  const X small = multiply_add(s, half_square + series, k * broadcast(C::kLogarithmRest));
  const X log = multiply_add(k, broadcast(C::kLogarithm), (small - half_square) + f);
  return on_each(LogarithmBits<T>::result, x, log);
}

}  // namespace
}  // namespace elman
