// Waiting awake.
#pragma once

#include <sched.h>

namespace elman {
namespace {  // each instruction set has its own

// Tells the processor that this thread waits for another.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits awake, for what takes less than falling asleep; gives way where there are more threads than processors.
template <class Condition>
void wait_until(const Condition& holds) {
  for (int i = 0; !holds(); ++i) {
    if (i < 10'000) {
      pause();
    } else {
      sched_yield();
    }
  }
}

}  // namespace
}  // namespace elman
