// d_t as BPTT leaves it behind, for the sums over steps and rows.
#pragma once

#include "recurrence/schedule.h"
#include "threads/account.h"
#include "tile/product.h"

namespace elman {
namespace {

inline constexpr int kChain = 32;
inline constexpr std::int64_t kGroupRows = 32 * kChain;

// A window onto d_t: one row for every step and row that BPTT has reached lately, in the order in which it did,
// and beside each where its x_t, h_{t-1} and dx_t lie.
template <class T>
struct DeltaChunk {
  struct Places {
    Layout::Place<T> deltas;
    Layout::Place<std::int64_t> positions;
    Layout::Place<const T*> inputs, previous;
    Layout::Place<T*> d_inputs;
  };

  static Places reserve(Layout& layout, std::int64_t capacity, std::int64_t hidden_size) {
    return {layout.reserve<T>(capacity * distance(hidden_size)), layout.reserve<std::int64_t>(capacity + 1),
            layout.reserve<const T*>(capacity), layout.reserve<const T*>(capacity), layout.reserve<T*>(capacity)};
  }

  DeltaChunk() = default;
  DeltaChunk(const Layout& layout, const Places& places, std::int64_t room, std::int64_t hidden_size)
      : inputs(layout[places.inputs]),
        previous(layout[places.previous]),
        d_inputs(layout[places.d_inputs]),
        row_distance(distance(hidden_size)),
        deltas_(layout[places.deltas]),
        positions_(layout[places.positions]),
        capacity_(room) {}

  T* delta(std::int64_t position) const { return deltas_ + position * row_distance; }

  // Where the rows of an iteration's step begin.
  std::int64_t position(std::int64_t iteration) const { return positions_[iteration - begin_]; }

  // Makes room for as many iterations before `end` as there is; returns the first of them.
  std::int64_t take_steps(const Schedule& schedule, std::int64_t end) {
    fresh = filled;
    std::int64_t begin = end;
    std::int64_t needed = filled;
    while (begin > 0 && needed + schedule.rows_of(begin - 1) <= capacity_) {
      needed += schedule.rows_of(--begin);
    }
    // positions_ holds the iterations begin to end, the last of them being the one that the chunk before ended with
    begin_ = begin;
    positions_[end - begin] = last_position_;
    for (std::int64_t iteration = end - 1; iteration >= begin; --iteration) {
      positions_[iteration - begin] = filled;
      filled += schedule.rows_of(iteration);
    }
    last_position_ = positions_[0];
    return begin;
  }

  // Forgets the rows before `consumed`, all but the step that the next one builds on, and moves the rest to the
  // front. Returns how far.
  std::int64_t forget(std::int64_t consumed) {
    const std::int64_t from = smaller(consumed, last_position_);
    const auto move = [&](auto* array, std::int64_t width) {
      __builtin_memmove(array, array + from * width,
                        sizeof(*array) * static_cast<std::size_t>((filled - from) * width));
    };
    move(deltas_, row_distance);
    move(inputs, 1);
    move(previous, 1);
    move(d_inputs, 1);
    filled -= from;
    last_position_ -= from;
    return from;
  }

  const T** inputs = nullptr;
  const T** previous = nullptr;
  T** d_inputs = nullptr;
  std::int64_t row_distance = 0;
  std::int64_t fresh = 0;  // rows before this one are from earlier chunks
  std::int64_t filled = 0;

 private:
  // Rows that are a power of two apart would fall on the same few lines of the cache.
  static std::int64_t distance(std::int64_t hidden_size) { return (hidden_size + 15) / 16 * 16 + 16; }

  T* deltas_ = nullptr;
  std::int64_t* positions_ = nullptr;
  std::int64_t capacity_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t last_position_ = 0;
};

// d^T of a group of rows, kTileRows units side by side: read in place, each would lie on a line of its own.
template <class T>
class GroupTiles {
 public:
  struct Places {
    Layout::Place<T> tiles;
    Layout::Place<const T*> units;
  };

  static Places reserve(Layout& layout, std::int64_t capacity, std::int64_t hidden_size) {
    const std::int64_t rows = smaller(capacity, kGroupRows);
    return {layout.reserve<T>(count(hidden_size) * kTileRows * rows), layout.reserve<const T*>(hidden_size)};
  }

  GroupTiles() = default;
  GroupTiles(const Layout& layout, const Places& places) : tiles_(layout[places.tiles]), units_(layout[places.units]) {}

  static std::int64_t count(std::int64_t hidden_size) { return panels(hidden_size, kTileRows); }

  // One tile of the `depth` rows that begin at `from`, `distance` elements apart.
  void pack(std::int64_t tile, std::int64_t hidden_size, const T* from, std::int64_t distance,
            std::int64_t depth) const {
    const std::int64_t first = tile * kTileRows;
    const std::int64_t units = smaller(kTileRows, hidden_size - first);
    T* to = tiles_ + first * depth;
    for (std::int64_t unit = 0; unit < units; ++unit) units_[first + unit] = to + unit;
    for (from += first; depth > 0; --depth, from += distance, to += kTileRows) {
      if (units == kTileRows) {
        __builtin_memcpy(to, from, sizeof(T) * kTileRows);
      } else {
        __builtin_memcpy(to, from, sizeof(T) * static_cast<std::size_t>(units));
      }
    }
  }

  // Where each unit begins; its rows are kTileRows elements apart.
  const T* const* units() const { return units_; }

 private:
  T* tiles_ = nullptr;
  const T** units_ = nullptr;
};

}  // namespace
}  // namespace elman
