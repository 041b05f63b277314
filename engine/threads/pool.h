// A small pool of threads. One job runs at a time; a caller that finds the pool taken does its work alone.
#pragma once

#include <cstdint>

namespace elman {

// Calls body(context, task) for every task from 0 to tasks - 1 on up to `threads` threads, the caller's among them.
// Every thread works in the caller's floating-point mode; all but the caller's give back their workspace for tasks. An
// exception of a task reaches the caller.
void run_tasks(std::int64_t tasks, int threads, void (*body)(const void* context, std::int64_t task),
               const void* context);

namespace {  // each instruction set has its own

template <class Body>
void parallel(std::int64_t tasks, int threads, const Body& body) {
  run_tasks(
      tasks, threads, [](const void* context, std::int64_t task) { (*static_cast<const Body*>(context))(task); },
      &body);
}

}  // namespace

}  // namespace elman
