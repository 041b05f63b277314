// A grid of blocks of fibers, and the library of kernels made of them: KERNELS is a list of X(name, function,
// arguments).
#include "cuda_threads.h"

#include <ucontext.h>

#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "cuda/backward.h"
#include "cuda/forward.h"
#include "cuda/gradients.h"
#include "cuda/products.h"
#include "kernels.h"

Place threadIdx, blockIdx, blockDim, gridDim;

namespace {

constexpr std::size_t kStack = 64 << 10;
constexpr float kGuard = 12345.0f;  // behind the shared memory of a block
constexpr int kGuards = 16;

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  bool is_done = false;
};

ucontext_t scheduler;
std::vector<Fiber> fibers;
unsigned running;
float* shared;
void (*kernel)(const void*);
const void* arguments;

void body() {
  kernel(arguments);
  fibers[running].is_done = true;
}

// Each fiber up to its next barrier, in one order or the other, until all are done; false where some wait for others
// that never come.
bool run_block(unsigned threads, bool backwards) {
  if (fibers.size() < threads) fibers.resize(threads);
  for (unsigned i = 0; i < threads; ++i) {
    fibers[i].is_done = false;
    getcontext(&fibers[i].context);
    fibers[i].context.uc_stack = {.ss_sp = fibers[i].stack.get(), .ss_flags = 0, .ss_size = kStack};
    fibers[i].context.uc_link = &scheduler;
    makecontext(&fibers[i].context, body, 0);
  }
  for (unsigned left = threads; left > 0;) {
    unsigned ended = 0;
    for (unsigned i = 0; i < threads; ++i) {
      running = backwards ? threads - 1 - i : i;
      if (fibers[running].is_done) continue;
      threadIdx = {running, 0, 0};
      swapcontext(&scheduler, &fibers[running].context);
      ended += fibers[running].is_done;
    }
    if (ended != 0 && ended != left) return false;
    left -= ended;
  }
  return true;
}

template <class Arguments, void (*function)(const Arguments&)>
void run(const void* of_directions) {
  function(static_cast<const Arguments*>(of_directions)[blockIdx.z]);
}

}  // namespace

void __syncthreads() { swapcontext(&fibers[running].context, &scheduler); }

extern "C" float* elman_shared_memory() { return shared; }

// 0, or what is wrong: 1 no such kernel, 2 a barrier that not all threads reach, 3 a write behind the shared memory.
extern "C" int launch(const char* name, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned shared_bytes,
                      const void* of_directions, bool backwards) {
  kernel = nullptr;
#define X(text, type, ...) \
  if (std::string_view(name) == text) kernel = run<elman::type, elman::__VA_ARGS__>;
  KERNELS
#undef X
  if (!kernel) return 1;
  arguments = of_directions;
  gridDim = {x, y, z};
  blockDim = {threads, 1, 1};
  const std::size_t floats = (shared_bytes + 3) / 4;
  shared = static_cast<float*>(std::aligned_alloc(64, (floats + kGuards + 15) / 16 * 64));
  int fault = 0;
  for (unsigned i = 0; i < x * y * z && fault == 0; ++i) {
    for (std::size_t f = 0; f < floats; ++f) shared[f] = __builtin_nanf("");  // as found, it holds anything
    for (std::size_t f = floats; f < floats + kGuards; ++f) shared[f] = kGuard;
    blockIdx = {i % x, i / x % y, i / x / y};
    if (!run_block(threads, backwards)) fault = 2;
    for (std::size_t f = floats; f < floats + kGuards; ++f) fault = shared[f] == kGuard ? fault : 3;
  }
  std::free(shared);
  return fault;
}
