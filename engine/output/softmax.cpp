#include "elman/softmax.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace elman {
namespace {

// Double throughout and without fused operations: the same bits on every processor.
constexpr double kLogarithm = 0x1.62e42fefap-1;           // ln 2 = the sum of the two; multiples of the first by
constexpr double kLogarithmRest = 0x1.cf79abc9e3b3ap-40;  // small integers are exact
constexpr double kRound = 0x1.8p52;   // added and taken away: rounds to an integer, which the sum's low bits hold
constexpr std::int64_t kBlock = 256;  // exponentials at a time

double from_bits(std::uint64_t bits) { return std::bit_cast<double>(bits); }

// e^x for x <= 0: x = n ln 2 + r with |r| <= ln(2)/2, and the Taylor series of e^r, whose 14th term is below 1e-17.
// Without branches or calls, so that compilers make vectors of it.
inline double exponential(double x) {
  // 1 / 13!, 1 / 12! … 1 / 0!
  constexpr double kTerms[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1,           1};
  const double bounded = x < -746 ? -746 : x;  // e^-746 is 0; NaN stays
  const double shifted = bounded * 0x1.71547652b82fep0 + kRound, n = shifted - kRound;
  const double r = (bounded - n * kLogarithm) - n * kLogarithmRest;
  double series = 0;
  for (const double term : kTerms) series = series * r + term;
  // times 2^n, by way of 2^(n + 128): of what is subnormal, the last product alone rounds
  const double scale = from_bits((std::bit_cast<std::uint64_t>(shifted) + 1023 + 128) << 52);
  return series * scale * 0x1p-128;
}

// ln x for a finite x >= 1: x = 2^n m with m from sqrt(1/2) to sqrt(2), and ln m = 2 artanh((m - 1) / (m + 1)).
double logarithm(double x) {
  if (x != x) return x;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto n = static_cast<std::int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 0x1.6a09e667f3bcdp0) {
    m *= 0.5;
    ++n;
  }
  const double f = (m - 1) / (m + 1), square = f * f;
  double series = 0;
  for (int i = 23; i >= 3; i -= 2) series = (series + 1.0 / i) * square;
  const auto whole = static_cast<double>(n);
  return whole * kLogarithm + (whole * kLogarithmRest + 2 * (f + f * series));
}

// `exponentials[i]` = e^(scores[i] - largest) for a block of scores.
template <class T>
void exponentials_of(std::int64_t count, const T* scores, double largest, double* exponentials) {
  for (std::int64_t i = 0; i < count; ++i) exponentials[i] = exponential(scores[i] - largest);
}

}  // namespace

template <class T>
void softmax(std::int64_t rows, std::int64_t classes, const T* scores, T* probabilities, bool logarithms) {
  double exponentials[kBlock];
  for (std::int64_t row = 0; row < rows; ++row, scores += classes, probabilities += classes) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < classes; ++i) largest = scores[i] > largest ? scores[i] : largest;
    double sum = 0;
    for (std::int64_t start = 0; start < classes; start += kBlock) {
      const std::int64_t count = std::min(kBlock, classes - start);
      exponentials_of(count, scores + start, largest, exponentials);
      for (std::int64_t i = 0; i < count; ++i) sum += exponentials[i];
    }
    if (logarithms) {
      const double log_sum = logarithm(sum);
      for (std::int64_t i = 0; i < classes; ++i) probabilities[i] = static_cast<T>((scores[i] - largest) - log_sum);
      continue;
    }
    for (std::int64_t start = 0; start < classes; start += kBlock) {
      const std::int64_t count = std::min(kBlock, classes - start);
      exponentials_of(count, scores + start, largest, exponentials);
      for (std::int64_t i = 0; i < count; ++i) probabilities[start + i] = static_cast<T>(exponentials[i] / sum);
    }
  }
}

template void softmax(std::int64_t, std::int64_t, const float*, float*, bool);
template void softmax(std::int64_t, std::int64_t, const double*, double*, bool);

}  // namespace elman
