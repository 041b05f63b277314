// Working memory, which threads keep between calls: fresh pages cost more than the arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {

enum class Slot : std::uint8_t { weights, layers, call, task };
inline constexpr int kSlots = 4;

// Memory of the calling thread for `slot`, 64-byte aligned, contents unspecified, valid until the same thread asks for
// the same slot again or gives it back. Throws std::bad_alloc.
void* workspace(Slot slot, std::size_t bytes);

template <class T>
T* workspace_of(Slot slot, std::int64_t count) {
  return static_cast<T*>(workspace(slot, static_cast<std::size_t>(count) * sizeof(T)));
}

// Ends the use of a slot, if the calling thread has asked for it: from then on release_memory can free what it holds.
void give_workspace_back(Slot slot) noexcept;

// Gives a slot back, however a call ends. (Not for what is compiled once per instruction set: to end on an exception
// needs code that the linker shares.)
class WorkspaceUse {
 public:
  explicit WorkspaceUse(Slot slot) : slot_(slot) {}
  ~WorkspaceUse() { give_workspace_back(slot_); }
  WorkspaceUse(const WorkspaceUse&) = delete;
  WorkspaceUse& operator=(const WorkspaceUse&) = delete;

 private:
  Slot slot_;
};

}  // namespace elman
