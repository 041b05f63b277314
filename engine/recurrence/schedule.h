// Where the rows of a sequence lie and in which order its steps are taken. Padded and packed input are one case:
// step t has rows(t) rows.
#pragma once

#include "elman/engine.h"
#include "recurrence/tuning.h"
#include "threads/stages.h"
#include "threads/workspace.h"

namespace elman {
namespace {

inline std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
inline std::int64_t larger(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

// Hidden units, or columns of a product, from begin to end - 1, whole panels of them.
struct Units {
  std::int64_t begin, end;
};

class Schedule {
 public:
  // `offsets` are the packed rows before each step; null when padded.
  Schedule(const Sequence& sequence, const std::int64_t* offsets) : sequence_(sequence), offsets_(offsets) {}

  std::int64_t steps() const { return sequence_.steps; }
  std::int64_t batch() const { return sequence_.batch; }
  std::int64_t rows(std::int64_t step) const { return offsets_ ? sequence_.batch_sizes[step] : sequence_.batch; }

  // The step that an iteration of the recurrence takes: in reverse, the first takes the last.
  std::int64_t step(std::int64_t iteration) const { return sequence_.reverse ? steps() - 1 - iteration : iteration; }

  // Rows of an iteration's step; none outside of the sequence.
  std::int64_t rows_of(std::int64_t iteration) const {
    return iteration < 0 || iteration >= steps() ? 0 : rows(step(iteration));
  }

  bool is_packed() const { return offsets_; }

  // All steps' rows of the first `row` sequences.
  std::int64_t rows_before(std::int64_t row) const {
    std::int64_t sum = 0;
    for (std::int64_t step = 0; step < steps(); ++step) sum += smaller(rows(step), row);
    return sum;
  }

  std::int64_t total_rows() const { return offsets_ ? offsets_[steps() - 1] + rows(steps() - 1) : steps() * batch(); }

  template <class T>
  [[gnu::always_inline]] T* at(const Rows<T>& rows, std::int64_t step, std::int64_t row) const {
    if (!rows.data) return nullptr;  // input of no features
    if (rows.places) {
      const Place& place = rows.places[row];
      return rows.data + (place.step + step) * rows.step_stride + place.row * rows.row_stride;
    }
    const std::ptrdiff_t before = offsets_ ? offsets_[step] * rows.row_stride : step * rows.step_stride;
    return rows.data + before + row * rows.row_stride;
  }

  // Some units of a state, to `final`, of those of a step's rows first to end - 1 whose last it is; they lie at(row).
  template <class T, class At>
  void copy_final(T* final, std::int64_t hidden_size, std::int64_t iteration, std::int64_t first, std::int64_t end,
                  Units units, const At& at) const {
    if (!final) return;
    for (std::int64_t row = larger(first, rows_of(iteration + 1)); row < end; ++row) {
      __builtin_memcpy(final + row * hidden_size + units.begin, at(row) + units.begin,
                       sizeof(T) * static_cast<std::size_t>(units.end - units.begin));
    }
  }

 private:
  Sequence sequence_;
  const std::int64_t* offsets_;
};

// Row groups run through the whole sequence on their own, without a barrier between steps. In packed input the first
// rows are the longest: groups have like shares of all steps' rows, as far as there is room for more rows in the
// others.
class RowGroups {
 public:
  RowGroups(const Schedule& schedule, int threads, std::size_t weight_bytes) : schedule_(schedule) {
    const std::int64_t batch = schedule.batch(), height = weight_bytes > tuning::kCachedWeights
                                                              ? tuning::kRowsOfGroup
                                                              : tuning::kRowsOfCachedGroup;
    count_ = (batch + height - 1) / height;
    if (threads > 1) count_ = (count_ + threads - 1) / threads * threads;
    // A row alone takes as long as two: the weights are read once for either.
    if (count_ > batch / 2) count_ = larger(batch / 2, 1);
    room_ = tuning::kMostRowsOfGroup - (batch + count_ - 1) / count_;
  }

  std::int64_t count() const { return count_; }

  std::int64_t begin(std::int64_t group) const {
    const std::int64_t even = schedule_.batch() * group / count_;
    if (!schedule_.is_packed() || group == 0 || group == count_) return even;
    const std::int64_t share = schedule_.total_rows() * group / count_;
    const std::int64_t least = larger(even - room_, group);
    std::int64_t first = least, last = even;  // the longest are the first: never behind `even`
    while (first < last) {
      const std::int64_t middle = (first + last) / 2;
      schedule_.rows_before(middle) < share ? first = middle + 1 : last = middle;
    }
    const bool is_nearer_before =
        first > least && schedule_.rows_before(first - 1) + schedule_.rows_before(first) > 2 * share;
    return is_nearer_before ? first - 1 : first;
  }

 private:
  const Schedule& schedule_;
  std::int64_t count_, room_;
};

// As many threads as have `share` or more of the work each.
inline int useful_threads(int threads, std::int64_t work, std::int64_t share) {
  return static_cast<int>(larger(1, smaller(threads, work / share)));
}

// How the units of a step are shared out among threads where the batch has too few rows to share: one, or a few of
// weights that outgrow the second-level cache, which is then read once for all.
class UnitShares {
 public:
  // `panel` units are taken together, each of them has `unit_bytes` of weights.
  UnitShares(std::int64_t batch, std::int64_t units, std::int64_t panel, std::size_t unit_bytes, int threads)
      : units_(units), panel_(panel), panels_((units + panel - 1) / panel) {
    const std::size_t bytes = unit_bytes * static_cast<std::size_t>(units);
    if (threads > 1 && (batch == 1 ? bytes >= tuning::kWeightsOfOneRow
                                   : batch <= tuning::kFewRows && bytes > tuning::kWeightsOfFewRows)) {
      count_ = static_cast<int>(smaller(smaller(threads, Stages::kMostShares), panels_));
    }
  }

  int count() const { return count_; }
  Units operator[](int share) const { return of(units_, share); }

  // A share of so many units, or columns, instead.
  Units of(std::int64_t all, int share) const { return {begin(all, share), begin(all, share + 1)}; }

 private:
  std::int64_t begin(std::int64_t all, int share) const {
    return smaller((all + panel_ - 1) / panel_ * share / count_ * panel_, all);
  }

  std::int64_t units_, panel_, panels_;
  int count_ = 1;
};

// Asks for a row of which other threads have written shares: they lie in other processors' caches.
template <class T>
void prefetch(const T* row, std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += 64 / sizeof(T)) __builtin_prefetch(row + i);
}

// Lays arrays out behind one another; offsets first, memory once all are known.
class Layout {
 public:
  template <class T>
  struct Place {
    std::size_t offset;
  };

  template <class T>
  Place<T> reserve(std::int64_t count) {
    const Place<T> place{bytes_};
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return place;
  }

  void take(Slot slot) { memory_ = static_cast<char*>(workspace(slot, bytes_)); }

  template <class T>
  T* operator[](Place<T> place) const {
    return reinterpret_cast<T*>(memory_ + place.offset);
  }

 private:
  std::size_t bytes_ = 0;
  char* memory_ = nullptr;
};

inline const std::int64_t* fill_offsets(const Sequence& sequence, std::int64_t* offsets) {
  if (!sequence.batch_sizes) return nullptr;
  std::int64_t before = 0;
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    offsets[t] = before;
    before += sequence.batch_sizes[t];
  }
  return offsets;
}

}  // namespace
}  // namespace elman
