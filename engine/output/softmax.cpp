#include "elman/softmax.h"

#include <bit>
#include <limits>

namespace elman {
namespace {

// Double throughout and without fused operations: the same bits on every processor.
constexpr double kLogarithm = 0x1.62e42fefap-1;           // ln 2 = the sum of the two; multiples of the first by
constexpr double kLogarithmRest = 0x1.cf79abc9e3b3ap-40;  // small integers are exact
constexpr double kRound = 0x1.8p52;                       // added and taken away: rounds to an integer

double power_of_two(std::int64_t exponent) {  // -1022 to 1023
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

// e^x for x <= 0: x = n ln 2 + r with |r| <= ln(2)/2, and the Taylor series of e^r, whose 14th term is below 1e-17.
double exponential(double x) {
  if (!(x > -746)) return x != x ? x : 0;
  const double n = (x * 0x1.71547652b82fep0 + kRound) - kRound;
  const double r = (x - n * kLogarithm) - n * kLogarithmRest;
  double series = 0;
  for (int i = 13; i >= 1; --i) series = (series + 1) * (r / i);
  const auto whole = static_cast<std::int64_t>(n);
  return (series + 1) * power_of_two(whole / 2) * power_of_two(whole - whole / 2);
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

}  // namespace

template <class T>
void softmax(std::int64_t rows, std::int64_t classes, const T* scores, T* probabilities, bool logarithms) {
  for (std::int64_t row = 0; row < rows; ++row, scores += classes, probabilities += classes) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < classes; ++i) largest = scores[i] > largest ? scores[i] : largest;
    double sum = 0;
    for (std::int64_t i = 0; i < classes; ++i) sum += exponential(scores[i] - largest);
    const double log_sum = logarithms ? logarithm(sum) : 0;
    for (std::int64_t i = 0; i < classes; ++i) {
      const double below = scores[i] - largest;
      probabilities[i] = static_cast<T>(logarithms ? below - log_sum : exponential(below) / sum);
    }
  }
}

template void softmax(std::int64_t, std::int64_t, const float*, float*, bool);
template void softmax(std::int64_t, std::int64_t, const double*, double*, bool);

}  // namespace elman
