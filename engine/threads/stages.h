// Work in stages, one after another, the shares of each side by side.
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

// Threads that wait for one another after each stage, awake. The caller begins with all shares; a thread that comes
// later is given its own from some stage on, so that none waits for one that has not come.
class Stages {
 public:
  static constexpr int kMostShares = 16;

  // Calls body(stage, share) for 1 to kMostShares shares of each stage; what it reads of others' shares is of stages
  // before. `body` may not throw.
  template <class Body>
  static void run(std::int64_t stages, int shares, const Body& body) {
    Stages all(stages, shares);
    parallel(shares, shares, [&](std::int64_t) {
      const int member = all.come();
      member == 0 ? all.lead(body) : all.follow(member, body);
    });
  }

 private:
  struct alignas(64) Member {
    Atomic<std::int64_t> begin{0};  // its first stage, stages_ until it is given one; written by member 0
    Atomic<std::int64_t> done{0};   // stages of which it has done its share
    Atomic<bool> here{false};
  };

  Stages(std::int64_t stages, int shares) : stages_(stages), shares_(shares) {
    for (Member& member : members_) member.begin.store(stages);
  }

  int come() { return came_.fetch_add(1); }

  // Member 0 does the shares of those who have not come.
  template <class Body>
  void lead(const Body& body) {
    for (std::int64_t stage = 0; stage < stages_; ++stage) {
      await_others(0, stage);
      for (int share = 1; share < shares_; ++share) {
        Member& member = members_[share];
        if (member.begin.load() < stages_) continue;
        if (member.here.load()) {
          member.begin.store(stage);
        } else {
          body(stage, share);
        }
      }
      body(stage, 0);
      members_[0].done.store(stage + 1);
    }
    await_others(0, stages_);
    ended_.store(true);
  }

  template <class Body>
  void follow(int share, const Body& body) {
    Member& self = members_[share];
    self.here.store(true);
    wait_until([&] { return begun(self) || ended_.load(); });
    for (std::int64_t stage = self.begin.load(); stage < stages_; ++stage) {
      wait_until([&] { return members_[0].done.load() >= stage; });
      await_others(share, stage);
      body(stage, share);
      self.done.store(stage + 1);
    }
  }

  bool begun(const Member& member) const { return member.begin.load() < stages_; }

  // Until every other thread that has begun before `stage` has done what came before it.
  void await_others(int self, std::int64_t stage) const {
    for (int share = 1; share < shares_; ++share) {
      const Member& member = members_[share];
      if (share == self || member.begin.load() >= stage) continue;
      wait_until([&] { return member.done.load() >= stage; });
    }
  }

  std::int64_t stages_;
  int shares_;
  Atomic<int> came_{0};
  Atomic<bool> ended_{false};
  Member members_[kMostShares];
};

}  // namespace
}  // namespace elman
