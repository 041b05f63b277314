#include "threads/account.h"

namespace elman {
namespace {

thread_local std::int64_t account[kPhases];

}  // namespace

void take_account(std::int64_t (&nanoseconds)[kPhases]) {
  for (int i = 0; i < kPhases; ++i) {
    nanoseconds[i] = account[i];
    account[i] = 0;
  }
}

void add_to_account(Phase phase, std::int64_t nanoseconds) { account[static_cast<int>(phase)] += nanoseconds; }

}  // namespace elman
