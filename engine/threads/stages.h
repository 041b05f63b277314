// Work in stages, one after another, whose parts run side by side.
#pragma once

#include "threads/pool.h"
#include "threads/waiting.h"

namespace elman {
namespace {

// An atomic value, read with acquire and written with release. std::atomic's functions are the linker's to share,
// between instruction sets too.
template <class V>
class Atomic {
 public:
  explicit Atomic(V value) : value_(value) {}
  V load() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }
  void store(V value) { __atomic_store_n(&value_, value, __ATOMIC_RELEASE); }
  V fetch_add(V value) { return __atomic_fetch_add(&value_, value, __ATOMIC_ACQ_REL); }

 private:
  V value_;
};

// Threads that wait for one another after each stage, awake. The caller begins with all parts; a thread that comes
// later is given its own from some stage on, so that none waits for one that has not come.
class Stages {
 public:
  static constexpr int kMostParts = 16;

  // Calls body(stage, part) for 1 to kMostParts parts of each stage; what it reads of others' parts is of stages
  // before. `body` may not throw.
  template <class Body>
  static void run(std::int64_t stages, int parts, const Body& body) {
    Stages shared(stages, parts);
    parallel(parts, parts, [&](std::int64_t) {
      const int member = shared.come();
      member == 0 ? shared.lead(body) : shared.follow(member, body);
    });
  }

 private:
  struct alignas(64) Member {
    Atomic<std::int64_t> begin{0};  // its first stage, stages_ until it is given one; written by member 0
    Atomic<std::int64_t> done{0};   // stages of which it has done its part
    Atomic<bool> here{false};
  };

  Stages(std::int64_t stages, int parts) : stages_(stages), parts_(parts) {
    for (Member& member : members_) member.begin.store(stages);
  }

  int come() { return came_.fetch_add(1); }

  // Member 0 does the parts of those who have not come.
  template <class Body>
  void lead(const Body& body) {
    for (std::int64_t stage = 0; stage < stages_; ++stage) {
      await_others(0, stage);
      for (int part = 1; part < parts_; ++part) {
        Member& member = members_[part];
        if (member.begin.load() < stages_) continue;
        if (member.here.load()) {
          member.begin.store(stage);
        } else {
          body(stage, part);
        }
      }
      body(stage, 0);
      members_[0].done.store(stage + 1);
    }
    await_others(0, stages_);
    ended_.store(true);
  }

  template <class Body>
  void follow(int part, const Body& body) {
    Member& self = members_[part];
    self.here.store(true);
    wait_until([&] { return begun(self) || ended_.load(); });
    for (std::int64_t stage = self.begin.load(); stage < stages_; ++stage) {
      wait_until([&] { return members_[0].done.load() >= stage; });
      await_others(part, stage);
      body(stage, part);
      self.done.store(stage + 1);
    }
  }

  bool begun(const Member& member) const { return member.begin.load() < stages_; }

  // Until every other thread that has begun before `stage` has done what came before it.
  void await_others(int self, std::int64_t stage) const {
    for (int part = 1; part < parts_; ++part) {
      const Member& member = members_[part];
      if (part == self || member.begin.load() >= stage) continue;
      wait_until([&] { return member.done.load() >= stage; });
    }
  }

  std::int64_t stages_;
  int parts_;
  Atomic<int> came_{0};
  Atomic<bool> ended_{false};
  Member members_[kMostParts];
};

}  // namespace
}  // namespace elman
