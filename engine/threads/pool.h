// A small pool of threads. One job runs at a time; a caller that finds the pool taken does its work alone.
#pragma once

#include <cstdint>

namespace elman {

// Calls body(context, task) for every task from 0 to tasks - 1 on up to `threads` threads, the caller's among them.
// Every thread works in the caller's floating-point mode; all but the caller's give back their workspace for tasks. An
// exception of a task reaches the caller.
void run_tasks(std::int64_t tasks, int threads, void (*body)(const void* context, std::int64_t task),
               const void* context);

// OpenMP's own way into a parallel region: GOMP_parallel and omp_get_max_threads of the library that another user of
// this process has its threads from.
struct OpenMP {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags);
  int (*max_threads)();
};

// From now on jobs that occupy at least half of OpenMP's threads run on those, and the pool's own do the others. For
// after each of its regions OpenMP's threads stay awake for some milliseconds, in which others have to share the
// processors with them.
void use_openmp(OpenMP openmp);

namespace {  // each instruction set has its own

template <class Body>
void parallel(std::int64_t tasks, int threads, const Body& body) {
  run_tasks(
      tasks, threads, [](const void* context, std::int64_t task) { (*static_cast<const Body*>(context))(task); },
      &body);
}

}  // namespace

}  // namespace elman
