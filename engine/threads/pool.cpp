#include "threads/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "threads/worker.h"

namespace elman {
namespace {

std::atomic<const OpenMP*> openmp{nullptr};

// A region's threads as they come: the caller, and the first `helpers` of the others.
class Team {
 public:
  Team(Job& job, std::size_t helpers) : job_(job), free_(static_cast<std::int64_t>(helpers)) {}

  static void enter(void* team) { static_cast<Team*>(team)->join(); }

 private:
  void join() {
    if (std::this_thread::get_id() == caller_) {
      job_.work();
    } else if (free_.fetch_sub(1) > 0) {
      job_.help();
    }
  }

  Job& job_;
  std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<std::int64_t> free_;
};

class Pool {
 public:
  // False when another thread's job is running.
  bool run(Job& job, std::size_t helpers) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy) return false;
    const OpenMP* const theirs = openmp.load();
    if (theirs && 2 * (helpers + 1) >= static_cast<std::size_t>(theirs->max_threads())) {
      Team team(job, helpers);
      theirs->parallel(&Team::enter, &team, 0, 0);
      return true;
    }
    hire(helpers);
    const auto end = workers_.begin() + static_cast<std::ptrdiff_t>(std::min(helpers, workers_.size()));
    for (auto worker = workers_.begin(); worker != end; ++worker) worker->call(job);
    job.work();
    for (auto worker = workers_.begin(); worker != end; ++worker) worker->dismiss();
    return true;
  }

 private:
  // As many threads as the system and the memory give; the caller works in any case.
  void hire(std::size_t helpers) {
    try {
      while (workers_.size() < helpers) workers_.emplace_back();
    } catch (...) {
    }
  }

  std::mutex busy_;
  std::deque<Worker> workers_;
};

// Never destroyed, for its threads are not. A forked child has none of its parent's threads and starts with a pool of
// its own, whatever its parent's was at; OpenMP would wait there for threads that are no more.
std::atomic<Pool*> the_pool{nullptr};
[[maybe_unused]] const int forget_after_fork = pthread_atfork(nullptr, nullptr, [] {
  the_pool.store(nullptr);
  openmp.store(nullptr);
});

Pool& pool() {
  Pool* existing = the_pool.load();
  if (existing) return *existing;
  Pool* made = new Pool;
  if (the_pool.compare_exchange_strong(existing, made)) return *made;
  delete made;
  return *existing;
}

}  // namespace

void use_openmp([[maybe_unused]] OpenMP theirs) {
#ifndef __SANITIZE_THREAD__  // which does not see how OpenMP's threads wait for one another
  openmp.store(new OpenMP(theirs));
#endif
}

void run_tasks(std::int64_t tasks, int threads, void (*body)(const void*, std::int64_t), const void* context) {
  const std::int64_t helpers = std::min<std::int64_t>(threads, tasks) - 1;
  if (helpers > 0) {
    Job job{body, context, tasks, FloatingPointMode::current(), {}, {}, {}};
    if (pool().run(job, static_cast<std::size_t>(helpers))) {
      if (job.failure) std::rethrow_exception(job.failure);
      return;
    }
  }
  for (std::int64_t task = 0; task < tasks; ++task) body(context, task);
}

}  // namespace elman
