// Loaded before the C++ library: refuses the engine memory, or all threads, when told to, and counts what operator new
// has handed out and not got back.
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> refused{0};       // the number of the allocation that fails; 0: none does
std::atomic<bool> lasting{false};   // those that come later fail too
std::atomic<long> made{0};          // the engine's allocations since then
std::atomic<std::size_t> least{0};  // smaller ones are not looked at
std::atomic<long> in_use{0}, bytes{0};
std::atomic<bool> threads_are_refused{false};

bool is_of_engine(void* address) {
  Dl_info info;
  return dladdr(address, &info) && info.dli_fname && std::strstr(info.dli_fname, "/_engine.");
}

void* allocate(std::size_t size, std::size_t alignment, void* caller) {
  if (refused.load() && size >= least.load() && is_of_engine(caller)) {
    const long number = ++made, first = refused.load();
    if (number == first || (lasting && number > first)) return nullptr;
  }
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory) {
    ++in_use;
    bytes += static_cast<long>(malloc_usable_size(memory));
  }
  return memory;
}

void* or_throw(void* memory) { return memory ? memory : throw std::bad_alloc(); }

void release(void* memory) {
  if (!memory) return;
  --in_use;
  bytes -= static_cast<long>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

#define CALLER __builtin_return_address(0)

void* operator new(std::size_t size) { return or_throw(allocate(size ? size : 1, 16, CALLER)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size ? size : 1, 16, CALLER)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size ? size : 1, 16, CALLER); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return or_throw(allocate(size, static_cast<std::size_t>(alignment), CALLER));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(alignment), CALLER);
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }

extern "C" {

// The n-th allocation of `size` or more from now on fails, and with `for_good` all after it. Returns how many there
// were since the last such call.
long refuse_allocation(long n, std::size_t size, bool for_good) {
  refused = 0;
  lasting = for_good;
  least = size;
  const long before = made.exchange(0);
  refused = n;
  return before;
}

long allocations_in_use() { return in_use; }
long bytes_in_use() { return bytes; }

void refuse_threads(bool refuse) { threads_are_refused = refuse; }

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  if (threads_are_refused) return EAGAIN;
  static const auto create = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, body, argument);
}
}
