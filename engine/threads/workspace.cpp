#include <cstdlib>
#include <new>

#include "threads/pool.h"

namespace elman {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLarge = std::size_t{64} << 20;

struct Memory {
  void* data = nullptr;
  std::size_t size = 0;

  ~Memory() { std::free(data); }

  void release() {
    std::free(data);
    data = nullptr;
    size = 0;
  }

  void* at_least(std::size_t bytes) {
    if (bytes > size) {
      release();
      const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
      data = std::aligned_alloc(kAlignment, rounded);
      if (!data) throw std::bad_alloc();
      size = rounded;
    }
    return data;
  }
};

Memory& memory(Slot slot) {
  thread_local Memory slots[4];
  return slots[static_cast<int>(slot)];
}

}  // namespace

void* workspace(Slot slot, std::size_t bytes) { return memory(slot).at_least(bytes ? bytes : 1); }

void trim_workspace(Slot slot) {
  if (memory(slot).size > kLarge) memory(slot).release();
}

}  // namespace elman
