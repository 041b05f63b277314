// The pointwise part of a step of BPTT of a cell with several gates, on the sums of a tile that are still in the
// first-level cache.
#pragma once

#include <cstdint>

#include "cells/sized.h"
#include "simd/passes.h"
#include "tile/product.h"

namespace elman {
namespace {

// Adds W_hh^T d_{t+1} to what arrives at h_t of its rows and takes the step back from there.
template <class Cell, class T>
struct GatedStepBack {
  // Where a row lies.
  struct Row {
    const T* given;  // dL/dh_t from outside, whose units are given_stride apart
    std::ptrdiff_t given_stride;
    const T* kept;
    const T* before;  // of the last state, h_{t-1} or c_{t-1}
    T* carried;       // dL/dh past the product, or dL/dc
    T* deltas;        // d_t
  };

  std::int64_t hidden_size;

  // A tile whose first column is unit `begin` of the layer; its rows count from rows[0].
  void take(const TileSums<T>& tile, std::int64_t begin, const Row* rows) const {
    tile.columns % kLanes<T> == 0 ? take<true>(tile, begin, rows) : take<false>(tile, begin, rows);
  }

  // Asks memory for what a row of a tile will read.
  [[gnu::always_inline]] void ask_for(const Row& row, std::int64_t unit) const {
    ask_for_row(row.given + unit * row.given_stride);
    for (int field = 0; field < Cell::kKept; ++field) ask_for_row(row.kept + field * hidden_size + unit);
  }

 private:
  using X = Several<Vector<T>, 1>;

  template <bool kAreWhole>
  [[gnu::noinline]] void take(const TileSums<T>& tile, std::int64_t begin, const Row* rows) const {
    const auto on_each_vector = [&](const auto& f) __attribute__((always_inline)) {
      const T* sums = tile.sums;
      for (const Row *row = rows + tile.first_row, *end = row + tile.rows; row < end; ++row, sums += tile.distance) {
        for (std::ptrdiff_t column = 0; column < tile.columns; column += kLanes<T>) {
          const int lanes =
              kAreWhole ? kLanes<T>
                        : static_cast<int>(tile.columns - column < kLanes<T> ? tile.columns - column : kLanes<T>);
          f(*row, begin + tile.first_column + column, lanes, sums + column);
        }
      }
    };
    // the step's tanh anew, of a cell whose second state it is of
    constexpr int kMost = 2 * kTilesAtOnce * kLanes<T>;  // as GatedStep, whose passes these are
    static_assert(kMost >= kTileVectors * kLanes<T>);
    alignas(64) T squashed[kMost];
    if constexpr (Cell::kStates == 2) {
      T* to = squashed;
      on_each_vector([&](const Row& row, std::int64_t unit, int lanes, const T*) __attribute__((always_inline)) {
        store(to, load(row.kept + (Cell::kKept - 1) * hidden_size + unit, 1, lanes));
        to += kLanes<T>;
      });
      Passes<T, kMost>().tanh(squashed, to - squashed);
    }
    const T* from = squashed;
    on_each_vector([&](const Row& row, std::int64_t unit, int lanes, const T* sums) __attribute__((always_inline)) {
      const auto kept =
          fields_of<typename Cell::template Kept<X>, Cell::kKept>([&](int field) __attribute__((always_inline)) {
            return load_several<1>(row.kept + field * hidden_size + unit, lanes);
          });
      const Vector<T> given = load(row.given + unit * row.given_stride, row.given_stride, lanes);
      const X arriving{{given + load(sums, 1, lanes)}};
      X tanh{};
      if constexpr (Cell::kStates == 2) tanh = load_several<1>(from), from += kLanes<T>;
      Cell::template step_back<T>(
          kept, load_several<1>(row.before + unit, lanes), arriving, load_several<1>(row.carried + unit, lanes), tanh,
          [&](const auto& of_gates, const X& carried) __attribute__((always_inline)) {
            store_several<T>(row.carried + unit, lanes, carried);
            for_each_field<Cell::kDeltas>(of_gates, [&](int field, const X& value) __attribute__((always_inline)) {
              store_several<T>(row.deltas + field * hidden_size + unit, lanes, value);
            });
          });
    });
  }
};

}  // namespace
}  // namespace elman
