// The processor's floating-point control register: rounding, flush to zero (torch.set_flush_denormal).
#pragma once

#include <cstdint>

namespace elman {

class FloatingPointMode {
 public:
  static FloatingPointMode current() {
    FloatingPointMode mode;
#if defined(__x86_64__)
    mode.bits_ = __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
    asm volatile("mrs %0, fpcr" : "=r"(mode.bits_));
#endif
    return mode;
  }

  void set() const {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(static_cast<unsigned>(bits_));
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" : : "r"(bits_));
#endif
  }

 private:
  std::uint64_t bits_ = 0;
};

// Takes a mode on, and puts back what was there.
class FloatingPointScope {
 public:
  explicit FloatingPointScope(FloatingPointMode mode) : before_(FloatingPointMode::current()) { mode.set(); }
  ~FloatingPointScope() { before_.set(); }
  FloatingPointScope(const FloatingPointScope&) = delete;
  FloatingPointScope& operator=(const FloatingPointScope&) = delete;

 private:
  FloatingPointMode before_;
};

}  // namespace elman
