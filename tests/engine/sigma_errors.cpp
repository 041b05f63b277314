// Prints the largest error of sigma over all floats, in units in the last place of the exact result, where it is, how
// many NaN became numbers, and how many results are others in passes.
//
// The exact result comes from double precision: e^-|x| is off by less than 2^-52 of itself, the sum and the quotient by
// 2^-53 each, together less than 2^-51, which is 2^-27 of a unit of float32 at most.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "simd/passes.h"

namespace {

constexpr int kCount = 2 * elman::kLanes<float>;
constexpr std::uint32_t kInfinity = 0x7f800000, kMinus = 0x80000000;

double exact(float x) {
  const double decay = std::exp(-std::fabs(static_cast<double>(x)));
  return (x < 0 ? decay : 1) / (1 + decay);
}

// A power of two: float32's unit at this value, its smallest where the value is below the normal ones.
double unit(double value) {
  const auto exponent = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(value) >> 52);
  const std::int64_t smallest = 1023 - 126;
  return std::bit_cast<double>(static_cast<std::uint64_t>((exponent < smallest ? smallest : exponent) - 23) << 52);
}

// Also counts what passes over the vectors make otherwise.
void sigma(const float* x, float* y, std::uint32_t& others) {
  elman::store_several<float>(y, elman::sigma<float>(elman::load_several<2>(x)));
  alignas(64) float in_passes[kCount];
  for (int i = 0; i < kCount; ++i) in_passes[i] = x[i];
  elman::Passes<float, kCount>().sigma(in_passes, kCount);
  for (int i = 0; i < kCount; ++i) {
    const bool are_numbers = y[i] == y[i] || in_passes[i] == in_passes[i];
    others += are_numbers && std::bit_cast<std::uint32_t>(y[i]) != std::bit_cast<std::uint32_t>(in_passes[i]) ? 1 : 0;
  }
}

}  // namespace

int main() {
  std::uint32_t others = 0;
  double worst = 0;
  float at = 0, x[kCount], y[kCount];
  for (std::uint32_t first = 0; first <= kInfinity; first += kCount) {
    for (const std::uint32_t sign : {std::uint32_t{0}, kMinus}) {
      for (std::uint32_t i = 0; i < kCount; ++i) {  // what is past infinity is taken for infinity
        x[i] = std::bit_cast<float>((first + i < kInfinity ? first + i : kInfinity) | sign);
      }
      sigma(x, y, others);
      for (int i = 0; i < kCount; ++i) {
        const double expected = exact(x[i]), error = std::fabs(y[i] - expected) / unit(expected);
        if (!(error <= worst)) worst = error, at = x[i];
      }
    }
  }
  std::uint32_t numbers = 0;  // that NaN became, of either sign, whatever it carries
  for (std::uint32_t first = kInfinity + 1; first < kMinus; first += kCount) {
    for (const std::uint32_t sign : {std::uint32_t{0}, kMinus}) {
      for (std::uint32_t i = 0; i < kCount; ++i) {
        x[i] = std::bit_cast<float>((first + i < kMinus ? first + i : kMinus - 1) | sign);
      }
      sigma(x, y, others);
      for (const float each : y) numbers += each == each ? 1 : 0;
    }
  }
  std::printf("%.6f %a %u %u\n", worst, static_cast<double>(at), numbers, others);
}
