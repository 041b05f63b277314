// The pointwise part of a step of a cell with several gates, on the sums of tiles that are still in the first-level
// cache: each part of it for some vectors at once, as simd/passes.h has it.
#pragma once

#include <cstdint>

#include "cells/sized.h"
#include "simd/passes.h"
#include "tile/product.h"

namespace elman {
namespace {

// Adds W_hh h to W_ih x + b of its rows and takes the step from there.
template <class Cell, class T>
struct GatedStep {
  // Where a row lies.
  struct Row {
    T* sums;
    const T* before;  // h_{t-1}
    T* cells;         // c, stepped in its place
    T* output;
  };

  std::int64_t hidden_size;
  const T* recurrent_bias;  // of the gates apart
  bool keeps;               // what the backward pass needs takes the sums' place

  // Some tiles, whose first unit is unit `begin` of the layer and whose rows lie at row_at(0), row_at(1), ...
  template <class Tile, class RowAt>
  void take(const Tile* tiles, std::int64_t count, std::int64_t begin, const RowAt& row_at) const {
    Vectors vectors;
    for (const Tile* tile = tiles; tile < tiles + count; ++tile) {
      const std::int64_t column = begin + tile->first_unit;
      for (std::int64_t row = 0; row < tile->rows; ++row) {
        const Row at = row_at(tile->first_row + row);
        tile->units == kPanel<T> ? add<true>(vectors, *tile, row, column, at)
                                 : add<false>(vectors, *tile, row, column, at);
        if (vectors.count + 2 > kMost) step(vectors);
      }
    }
    if (vectors.count > 0) step(vectors);
  }

 private:
  using X = Several<Vector<T>, 1>;
  static constexpr int kMost = 2 * kTilesAtOnce, kAdded = Cell::kGates - Cell::kApart;

  // Vectors of units: the sums of each gate, of those apart W_hh's too, and where else they lie.
  struct Vectors {
    struct Place {
      T *state, *output, *kept;
      int lanes;
    };

    alignas(64) T sums[Cell::kGates + Cell::kApart][kMost * kLanes<T>];
    Place places[kMost];
    int count = 0;
    bool are_whole = true;
  };

  template <bool kIsWhole, class Tile>
  [[gnu::always_inline]] void add(Vectors& vectors, const Tile& tile, std::int64_t row, std::int64_t column,
                                  const Row& at) const {
    const std::int64_t size = hidden_size, units = kIsWhole ? kPanel<T> : tile.units;
    const T* const bias = recurrent_bias + column;
    std::int64_t to = vectors.count * kLanes<T>;
#pragma GCC unroll 2
    for (std::int64_t unit = 0; unit < units; unit += kLanes<T>, to += kLanes<T>) {
      const int lanes = kIsWhole ? kLanes<T> : static_cast<int>(smaller(kLanes<T>, units - unit));
#pragma GCC unroll 8
      for (int gate = 0; gate < Cell::kGates; ++gate) {
        const Vector<T> from_input = load(at.sums + gate * size + column + unit, 1, lanes);
        const Vector<T> recurrent = load(tile.at(gate, row) + unit);
        store(vectors.sums[gate] + to, gate < kAdded ? from_input + recurrent : from_input);
        if (gate < kAdded) continue;
        store(vectors.sums[gate + Cell::kApart] + to, recurrent + load(bias + (gate - kAdded) * size + unit, 1, lanes));
      }
      T* const state = Cell::kStates == 2 ? at.cells : const_cast<T*>(at.before);
      vectors.places[vectors.count++] = {state + column + unit, at.output + column + unit, at.sums + column + unit,
                                         lanes};
      if (!kIsWhole) vectors.are_whole &= lanes == kLanes<T>;
    }
  }

  void step(Vectors& vectors) const {
    vectors.are_whole ? step<true>(vectors) : step<false>(vectors);
    vectors.count = 0;
    vectors.are_whole = true;
  }

  template <bool kAreWhole>
  [[gnu::noinline]] void step(Vectors& vectors) const {
    alignas(64) T squashed[kMost * kLanes<T>];
    Passes<T, kMost * kLanes<T>> passes;
    const std::int64_t end = vectors.count * kLanes<T>;
    auto all = fields_of<typename Cell::template Gates<T*>, Cell::kGates>([&](int gate) { return vectors.sums[gate]; });
    Cell::activate(all, [&](T* gate) { passes.sigma(gate, end); }, [&](T* gate) { passes.tanh(gate, end); });

    // f(where it lies, its place, its gates, those apart, the state before)
    const auto on_each_vector = [&](const auto& f) __attribute__((always_inline)) {
      for (int i = 0; i < vectors.count; ++i) {
        const int at = i * kLanes<T>;
        const auto sums = [&](int gate)
                              __attribute__((always_inline)) { return load_several<1>(vectors.sums[gate] + at); };
        const auto& place = vectors.places[i];
        f(at, place, fields_of<typename Cell::template Gates<X>, Cell::kGates>(sums),
          fields_of<typename Cell::template Apart<X>, Cell::kApart>(
              [&](int gate) __attribute__((always_inline)) { return sums(Cell::kGates + gate); }),
          X{{kAreWhole ? load(place.state) : load(place.state, 1, place.lanes)}});
      }
    };
    const auto put = [](T* to, const auto& place, const X& value) __attribute__((always_inline)) {
      kAreWhole ? store(to, value.each[0]) : store(to, place.lanes, value.each[0]);
    };
    on_each_vector([&](int at, const auto& place, const auto& gates, const auto& apart, const X& before)
                       __attribute__((always_inline)) {
                         const X argument = Cell::combine(gates, apart, before);
                         if constexpr (Cell::kStates == 2) put(place.state, place, argument);
                         store_several<T>(squashed + at, argument);
                       });
    passes.tanh(squashed, end);
    on_each_vector([&](int at, const auto& place, const auto& gates, const auto& apart,
                       const X& before) __attribute__((always_inline)) {
      Cell::step(gates, apart, before, load_several<1>(squashed + at),
                 [&](const X& hidden, const auto& kept) __attribute__((always_inline)) {
                   put(place.output, place, hidden);
                   if (!keeps) return;
                   for_each_field<Cell::kKept>(kept, [&](int field, const X& value) __attribute__((always_inline)) {
                     put(place.kept + field * hidden_size, place, value);
                   });
                 });
    });
  }
};

}  // namespace
}  // namespace elman
