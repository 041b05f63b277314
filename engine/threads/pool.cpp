#include "threads/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "threads/floating_point_mode.h"
#include "threads/waiting.h"

namespace elman {
namespace {

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
};

class Pool {
 public:
  // False when another thread's job is running.
  bool run(Job& job, int helpers) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy) return false;
    {
      const std::lock_guard hold(lock_);
      hire(helpers);
      job_ = &job;
      places_ = helpers;
      posted_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    job.work();
    {
      const std::lock_guard hold(lock_);
      places_ = 0;  // a helper that has not woken yet comes too late
    }
    for (int i = 0; i < kSpins && working_.load(std::memory_order_acquire) != 0; ++i) pause();
    std::unique_lock hold(lock_);
    done_.wait(hold, [this] { return working_.load(std::memory_order_relaxed) == 0; });
    job_ = nullptr;
    return true;
  }

 private:
  // As many threads as the system gives; the caller works in any case.
  void hire(int helpers) {
    try {
      for (; workers_ < helpers; ++workers_) std::thread(&Pool::serve, this).detach();
    } catch (const std::system_error&) {
    }
  }

  void serve() {
    std::uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < kSpins && posted_.load(std::memory_order_acquire) == seen; ++i) pause();
      std::unique_lock hold(lock_);
      wake_.wait(hold, [&] { return posted_.load(std::memory_order_relaxed) != seen; });
      seen = posted_.load(std::memory_order_relaxed);
      if (places_ == 0) continue;
      --places_;
      working_.fetch_add(1, std::memory_order_relaxed);
      Job& job = *job_;
      hold.unlock();
      {
        const FloatingPointScope mode(job.mode);
        job.work();
      }
      hold.lock();
      if (working_.fetch_sub(1, std::memory_order_release) == 1) done_.notify_one();
    }
  }

  // A wait awake of some 0.1 ms: a layer posts several jobs in a row, and waking a sleeper takes 50 to 150 us.
  static constexpr int kSpins = 10'000;

  std::mutex busy_;
  std::mutex lock_;
  std::condition_variable wake_, done_;
  std::atomic<std::uint64_t> posted_{0};
  Job* job_ = nullptr;
  int workers_ = 0;
  int places_ = 0;
  std::atomic<int> working_{0};  // changed under the lock, but read by a waiting caller without it
};

// Never destroyed: its threads may outlive static destructors. A forked child has none of its parent's threads and
// starts with a pool of its own.
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr); });
  static_cast<void>(registered);
  Pool* existing = the_pool.load();
  if (existing) return *existing;
  Pool* made = new Pool;
  if (the_pool.compare_exchange_strong(existing, made)) return *made;
  delete made;
  return *existing;
}

}  // namespace

void run_tasks(std::int64_t tasks, int threads, void (*body)(const void*, std::int64_t), const void* context) {
  const int helpers = static_cast<int>(std::min<std::int64_t>(threads, tasks)) - 1;
  if (helpers > 0) {
    Job job{body, context, tasks, FloatingPointMode::current(), {}, {}, {}};
    if (pool().run(job, helpers)) {
      if (job.failure) std::rethrow_exception(job.failure);
      return;
    }
  }
  for (std::int64_t task = 0; task < tasks; ++task) body(context, task);
}

}  // namespace elman
