// A thread of the pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

#include "threads/floating_point_mode.h"
#include "threads/waiting.h"
#include "threads/workspace.h"

namespace elman {

// Tasks that several threads take one by one.
struct Job {
  void (*body)(const void*, std::int64_t);
  const void* context;
  std::int64_t tasks;
  FloatingPointMode mode;
  std::atomic<std::int64_t> next{0};
  std::mutex failure_lock;
  std::exception_ptr failure;

  void work() {
    for (std::int64_t task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      try {
        body(context, task);
      } catch (...) {
        const std::lock_guard hold(failure_lock);
        failure = std::current_exception();
      }
    }
  }

  // The same on another thread than the caller's.
  void help() {
    const FloatingPointScope callers(mode);
    const WorkspaceUse use(Slot::task);
    work();
  }
};

// It sleeps until it is called, by a lock and a condition of its own: calling one worker wakes no other. Never
// destroyed: its thread may outlive static destructors.
class alignas(64) Worker {
 public:
  // Throws where the system gives no more threads.
  Worker() { std::thread(&Worker::serve, this).detach(); }

  void call(Job& job) {
    job_ = &job;
    pass_to(State::called);
  }

  // Returns once it has done what it was called for; a worker that has not woken yet comes too late, and is not waited
  // for.
  void dismiss() {
    State called = State::called;
    if (!state_.compare_exchange_strong(called, State::idle)) wait_while(State::working);
  }

 private:
  enum class State : std::uint8_t { idle, called, working };

  void serve() {
    while (true) {
      wait_while(State::idle);
      State called = State::called;
      if (!state_.compare_exchange_strong(called, State::working)) continue;
      job_->help();
      pass_to(State::idle);
    }
  }

  void pass_to(State state) {
    {
      const std::lock_guard hold(lock_);
      state_.store(state, std::memory_order_release);
    }
    passed_.notify_one();
  }

  void wait_while(State state) {
    for (int i = 0; i < kSpins && state_.load(std::memory_order_acquire) == state; ++i) pause();
    if (state_.load(std::memory_order_acquire) != state) return;
    std::unique_lock hold(lock_);
    passed_.wait(hold, [&] { return state_.load(std::memory_order_relaxed) != state; });
  }

  // A wait awake of some 0.1 ms: a layer posts several jobs in a row, and waking a sleeper takes 50 to 150 us.
  static constexpr int kSpins = 10'000;

  std::atomic<State> state_{State::idle};
  Job* job_ = nullptr;
  std::mutex lock_;
  std::condition_variable passed_;  // of its thread while it is idle, of its caller while it works
};

}  // namespace elman
