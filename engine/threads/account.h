// Where a call's time goes, on the calling thread. A build with ELMAN_ACCOUNT=ON keeps the account, any other nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace elman {

enum class Phase : std::uint8_t { packing, input_projection, recurrent_steps, input_gradients, weight_gradients };
inline constexpr int kPhases = 5;

// Nanoseconds of each phase since the last call, of all calls of this thread; zeros where no account is kept.
void take_account(std::int64_t (&nanoseconds)[kPhases]);
void add_to_account(Phase phase, std::int64_t nanoseconds);

#ifdef ELMAN_ACCOUNT
inline constexpr bool kAccount = true;
#else
inline constexpr bool kAccount = false;
#endif

namespace {  // each instruction set has its own

// Adds the time from its construction to its end.
#ifdef ELMAN_ACCOUNT
class Timed {
 public:
  explicit Timed(Phase phase) : phase_(phase), begin_(now()) {}
  ~Timed() { add_to_account(phase_, now() - begin_); }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  static std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

  Phase phase_;
  std::int64_t begin_;
};
#else
struct Timed {
  explicit Timed(Phase) {}
};
#endif

}  // namespace
}  // namespace elman
