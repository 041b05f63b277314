// The GIL given up for a while.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <optional>
#include <thread>

namespace nb = nanobind;

// Unlike nanobind's guard it survives the end of the interpreter. Before Python 3.14 a daemon thread that takes the GIL
// back while the process ends is unwound from there, which ends in std::terminate where a function is noexcept; here
// it waits for the end instead, as Python itself lets it since.
class Released {
 public:
  Released() : state_(PyEval_SaveThread()) {}
  ~Released() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

// Whether the GIL is given up for so many multiplications: giving it up and getting it back can take as long as a small
// step. Counted in floating point, for sizes of views may multiply to anything.
inline bool is_worth_the_gil(double multiplications) { return multiplications >= 100'000; }

class ReleasedIf {
 public:
  explicit ReleasedIf(bool condition) {
    if (condition) released_.emplace();
  }

 private:
  std::optional<Released> released_;
};
