// Which instruction sets an x86-64 processor has, by cpuid: a compiler's own __builtin_cpu_supports takes the answer
// from a library that comes with it, and not every such library asks (zig's says no to all).
#pragma once

#include <cpuid.h>

namespace elman {

struct Processor {
  bool avx2 = false;    // with fused multiply-add
  bool avx512 = false;  // F, BW, DQ and VL
};

inline Processor this_processor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return {};
  const bool fma = (c & bit_FMA) != 0;
  unsigned kept = 0;  // the registers that the operating system keeps for each thread
  asm volatile("xgetbv" : "=a"(kept), "=d"(d) : "c"(0));
  constexpr unsigned kVectors = 0x06, kLongVectors = 0xe6;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
  constexpr unsigned kAvx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  const bool avx2 = fma && (b & bit_AVX2) && (kept & kVectors) == kVectors;
  return {avx2, avx2 && (b & kAvx512) == kAvx512 && (kept & kLongVectors) == kLongVectors};
}

}  // namespace elman
