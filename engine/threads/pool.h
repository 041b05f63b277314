// A small pool of threads. One job runs at a time; a caller that finds the pool taken does its work alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

// Calls body(context, task) for every task from 0 to tasks - 1 on up to `threads` threads, the caller's among them.
// Every thread works in the caller's floating-point mode. An exception of a task reaches the caller.
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

// Memory of the calling thread for `slot`, 64-byte aligned, contents unspecified, valid until the same thread asks
// for the same slot again. Kept between calls: fresh pages cost more than the arithmetic.
enum class Slot : std::uint8_t { weights, layers, call, task };
void* workspace(Slot slot, std::size_t bytes);

template <class T>
T* workspace_of(Slot slot, std::int64_t count) {
  return static_cast<T*>(workspace(slot, static_cast<std::size_t>(count) * sizeof(T)));
}

// Gives back what the calling thread holds in `slot` if it is large.
void trim_workspace(Slot slot);

}  // namespace elman
