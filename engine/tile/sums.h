// What becomes of a product's sums.
#pragma once

#include "simd/several.h"
#include "tile/tile.h"

namespace elman {
namespace {

// Some rows and columns of a product, as `multiply` hands them on.
template <class T>
struct TileSums {
  std::ptrdiff_t first_row, rows, first_column, columns;
  const T* sums;
  std::ptrdiff_t distance;  // of rows

  // f(row, column, lanes, sums) for each vector; lanes counts the columns that exist.
  template <class F>
  [[gnu::always_inline]] void vector_by_vector(const F& f) const {
    const std::ptrdiff_t whole = columns / kLanes<T> * kLanes<T>;
    const T* from = sums;
    for (std::ptrdiff_t row = first_row; row < first_row + rows; ++row, from += distance) {
      for (std::ptrdiff_t c = 0; c < whole; c += kLanes<T>) f(row, first_column + c, kLanes<T>, load(from + c));
      if (whole < columns) f(row, first_column + whole, static_cast<int>(columns - whole), load(from + whole));
    }
  }

  // f(what is at(row, column) + sums) in its place: the vectors of a row in pairs, what is left over of several rows
  // side by side.
  template <class At, class F>
  [[gnu::always_inline]] void add_and_store(const At& at, const F& f) const {
    constexpr std::ptrdiff_t kPair = 2 * kLanes<T>;
    const std::ptrdiff_t paired = columns / kPair * kPair;
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      T* const to = at(first_row + row, first_column);
      const T* const from = sums + row * distance;
      for (std::ptrdiff_t c = 0; c < paired; c += kPair) {
        store_several<T>(to + c, f(load_several<2>(to + c) + load_several<2>(from + c)));
      }
    }
    for (std::ptrdiff_t c = paired; c < columns; c += kLanes<T>) {
      const int lanes = static_cast<int>(columns - c < kLanes<T> ? columns - c : kLanes<T>);
      std::ptrdiff_t row = 0;
      for (; row + kSideBySide <= rows; row += kSideBySide) add_and_store_rows<kSideBySide>(row, c, lanes, at, f);
      for (; row < rows; ++row) add_and_store_rows<1>(row, c, lanes, at, f);
    }
  }

  // The same for a vector of each of a few rows.
  template <int kRows, class At, class F>
  [[gnu::always_inline]] void add_and_store_rows(std::ptrdiff_t row, std::ptrdiff_t column, int lanes, const At& at,
                                                 const F& f) const {
    T* to[kRows];
    Several<Vector<T>, kRows> values;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      to[i] = at(first_row + row + i, first_column + column);
      values.each[i] = load(to[i], 1, lanes) + load(sums + (row + i) * distance + column);
    }
    values = f(values);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) store(to[i], lanes, values.each[i]);
  }
};

// Where a gate's sums begin among those of a tile of which so many gates are taken side by side, and how far apart its
// rows are.
template <class T, int kGates>
struct GatePlaces {
  std::ptrdiff_t first[kGates], distance[kGates];

  explicit GatePlaces(int at_once) {
    for (int gate = 0; gate < kGates; ++gate) {
      const int part = gate / at_once, left = kGates - part * at_once;
      first[gate] = part * kTileVectors * kLanes<T> + gate % at_once * kPanel<T>;
      distance[gate] = (left < at_once ? left : at_once) * kPanel<T>;
    }
  }
};

// Some rows and units of a product, every gate of them, as `multiply_gates` hands them on.
template <class T, int kGates>
struct GateSums {
  std::ptrdiff_t first_row, rows, first_unit, units;
  const T* sums;
  const GatePlaces<T, kGates>* places;

  // A gate's sums in a row, counted from the first.
  const T* at(int gate, std::ptrdiff_t row) const noexcept {
    return sums + places->first[gate] + row * places->distance[gate];
  }
};

// Asks memory for the row of a tile's results that begins there; what lies on a line with the row's first elements came
// with the panel before.
template <class T>
[[gnu::always_inline]] inline void ask_for_row(const T* row) {
  constexpr int kLine = 64 / sizeof(T);
  for (int last = kPanel<T> - 1; last >= 0; last -= kLine) __builtin_prefetch(row + last);
}

// What to do with a tile, for `multiply`, as something to do with each of its vectors.
template <class F>
auto vector_by_vector(const F& f) {
  return [&f](const auto& tile) __attribute__((always_inline)) { tile.vector_by_vector(f); };
}

// What to do with a tile; and with each of its rows when it begins, ask(row, column): what that asks memory for comes
// while the tile is multiplied. (`ask` has to be always_inline: g++ takes a function that does no more for one without
// effect, and drops it.)
template <class Finish, class Ask>
struct Asking {
  Finish finish;
  const Ask& ask;

  template <class T>
  [[gnu::always_inline]] void operator()(const TileSums<T>& tile) const {
    finish(tile);
  }

  [[gnu::always_inline]] void begin(std::ptrdiff_t row, std::ptrdiff_t rows, std::ptrdiff_t column) const {
    for (const std::ptrdiff_t end = row + rows; row < end; ++row) ask(row, column);
  }
};

template <class Finish, class Ask>
Asking<Finish, Ask> asking(const Finish& finish, const Ask& ask) {
  return {finish, ask};
}

}  // namespace
}  // namespace elman
