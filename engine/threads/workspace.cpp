#include "threads/workspace.h"

#include <atomic>
#include <new>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "elman/engine.h"

namespace elman {
namespace {

constexpr std::size_t kAlignment = 64;

// What is kept for life is bounded. A layer of 3,072 units outgrows a block: new pages add 0.05 s to a call of one
// step, and nothing that shows to one of 20 steps of 32 rows. All blocks of all threads together come to no more than
// PyTorch's libraries take.
constexpr std::size_t kLargestKept = std::size_t{64} << 20;
constexpr std::size_t kMostKept = std::size_t{256} << 20;

std::atomic<std::size_t> bytes_of_all{0};  // blocks that may be kept, those in use among them
std::atomic<std::uint64_t> releases{0};

struct Block {
  std::size_t size;
  std::uint64_t releases;  // as many as there had been when its use began

  bool may_be_kept() const { return size <= kLargestKept; }
  void* data() { return reinterpret_cast<char*>(this) + kAlignment; }
};
static_assert(sizeof(Block) <= kAlignment);

Block* make_block(std::size_t size) {
  void* memory = ::operator new(kAlignment + size, std::align_val_t{kAlignment}, std::nothrow);
  if (!memory) throw std::bad_alloc();
  auto* block = new (memory) Block{size, releases.load()};
  if (block->may_be_kept()) bytes_of_all.fetch_add(size, std::memory_order_relaxed);
  return block;
}

void free_block(Block* block) {
  if (!block) return;
  if (block->may_be_kept()) bytes_of_all.fetch_sub(block->size, std::memory_order_relaxed);
  ::operator delete(block, std::align_val_t{kAlignment});
}

// What a thread keeps. A block is in its place or in use, never both: whoever takes it out of its place, the thread or
// release_memory, has it alone, without a lock.
struct alignas(64) Kept {
  std::atomic<Block*> places[kSlots]{};
  std::atomic<bool> has_owner{true};
  Kept* next = nullptr;

  void empty() {
    for (std::atomic<Block*>& place : places) free_block(place.exchange(nullptr));
  }
};

// Of all threads, past ones too: it only grows, and what a thread has left behind is the next one's.
std::atomic<Kept*> first{nullptr};

Kept* adopt() {
  for (Kept* kept = first.load(std::memory_order_acquire); kept; kept = kept->next) {
    if (!kept->has_owner.load(std::memory_order_relaxed) && !kept->has_owner.exchange(true)) return kept;
  }
  Kept* made = new Kept;
  made->next = first.load(std::memory_order_relaxed);
  while (!first.compare_exchange_weak(made->next, made, std::memory_order_acq_rel)) {
  }
  return made;
}

struct Owner {
  Kept* kept = adopt();

  Owner() = default;
  ~Owner() {
    kept->empty();
    kept->has_owner.store(false);
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
};

std::atomic<Block*>& place(std::size_t slot) {
  thread_local const Owner owner;
  return owner.kept->places[slot];
}

constinit thread_local Block* in_use[kSlots] = {};

}  // namespace

void* workspace(Slot slot, std::size_t bytes) {
  const auto at = static_cast<std::size_t>(slot);
  Block*& block = in_use[at];
  if (!block) {
    const std::uint64_t before = releases.load();
    block = place(at).exchange(nullptr);
    if (block) block->releases = before;
  }
  if (!block || block->size < bytes) {
    free_block(std::exchange(block, nullptr));
    block = make_block(bytes);
  }
  return block->data();
}

void give_workspace_back(Slot slot) noexcept {
  const auto at = static_cast<std::size_t>(slot);
  Block* const block = std::exchange(in_use[at], nullptr);
  if (!block) return;
  if (!block->may_be_kept() || bytes_of_all.load(std::memory_order_relaxed) > kMostKept) return free_block(block);
  const std::uint64_t before = block->releases;
  std::atomic<Block*>& kept = place(at);
  free_block(kept.exchange(block));
  // A release that did not find the block there has counted itself before: one of the two sees the other.
  if (releases.load() != before) free_block(kept.exchange(nullptr));
}

void release_memory() {
  releases.fetch_add(1);
  for (Kept* of = first.load(std::memory_order_acquire); of; of = of->next) of->empty();
#ifdef __GLIBC__
  malloc_trim(0);  // what is free is not yet the system's again
#endif
}

}  // namespace elman
