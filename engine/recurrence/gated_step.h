// The pointwise part of a step of a cell with several gates, on the sums of a tile that are still in the first-level
// cache.
#pragma once

#include <cstdint>

#include "cells/sized.h"
#include "simd/several.h"
#include "simd/vector.h"
#include "tile/product.h"

namespace elman {
namespace {

// Adds a tile's W_hh h to W_ih x + b of its rows and takes the step from there.
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

  // The rows of a tile, whose first unit is unit `begin` of the layer.
  template <class Tile>
  void take(const Tile& tile, std::int64_t begin, const Row* rows) const {
    std::int64_t row = 0;
    for (; row + 2 <= tile.rows; row += 2) take_units<2>(tile, row, begin, rows + row);
    if (row < tile.rows) take_units<1>(tile, row, begin, rows + row);
  }

 private:
  // The units of a few rows of a tile.
  template <int kRows, class Tile>
  [[gnu::noinline, ELMAN_REORDERED]] void take_units(const Tile& tile, std::int64_t row, std::int64_t begin,
                                                     const Row* rows) const {
    if (tile.units == kPanel<T>) return take_vectors<kRows, 2>(tile, row, 0, kLanes<T>, begin, rows);
    for (std::int64_t unit = 0; unit < tile.units; unit += kLanes<T>) {
      const int lanes = static_cast<int>(smaller(kLanes<T>, tile.units - unit));
      take_vectors<kRows, 1>(tile, row, unit, lanes, begin, rows);
    }
  }

  template <int kRows, int kVectors, class Tile>
  [[gnu::always_inline]] void take_vectors(const Tile& tile, std::int64_t row, std::int64_t unit, int lanes,
                                           std::int64_t begin, const Row* rows) const {
    using X = Several<Vector<T>, kRows * kVectors>;
    constexpr int kAdded = Cell::kGates - Cell::kApart;
    const std::int64_t column = begin + tile.first_unit + unit;
    // the vectors at(row)
    const auto load_rows = [&](const auto& at) __attribute__((always_inline)) {
      return several_of<kRows * kVectors>([&](int i) __attribute__((always_inline)) {
        return load(at(i / kVectors) + i % kVectors * kLanes<T>, 1, lanes);
      });
    };
    const auto store_rows = [&](const auto& at, const X& values) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int i = 0; i < kRows * kVectors; ++i) {
        store(at(i / kVectors) + i % kVectors * kLanes<T>, lanes, values.each[i]);
      }
    };
    const auto recurrent = [&](int gate) __attribute__((always_inline)) {
      return several_of<kRows * kVectors>([&](int i) __attribute__((always_inline)) {
        return load(tile.at(gate, row + i / kVectors) + unit + i % kVectors * kLanes<T>);
      });
    };
    const auto added =
        fields_of<typename Cell::template Gates<X>, Cell::kGates>([&](int gate) __attribute__((always_inline)) {
          const X from_input = load_rows([&](int i) { return rows[i].sums + gate * hidden_size + column; });
          return gate < kAdded ? from_input + recurrent(gate) : from_input;
        });
    const auto apart =
        fields_of<typename Cell::template Apart<X>, Cell::kApart>([&](int gate) __attribute__((always_inline)) {
          const T* const bias = recurrent_bias + gate * hidden_size + column;
          return recurrent(kAdded + gate) + load_rows([&](int) { return bias; });
        });
    const X state = load_rows([&](int i) { return (Cell::kStates == 2 ? rows[i].cells : rows[i].before) + column; });
    Cell::template step<T>(added, apart, state, [&](const X& hidden, const auto& kept) __attribute__((always_inline)) {
      store_rows([&](int i) { return rows[i].output + column; }, hidden);
      if constexpr (Cell::kStates == 2) store_rows([&](int i) { return rows[i].cells + column; }, kept.cell);
      if (!keeps) return;
      for_each_field<Cell::kKept>(kept, [&](int field, const X& value) __attribute__((always_inline)) {
        store_rows([&](int i) { return rows[i].sums + field * hidden_size + column; }, value);
      });
    });
  }
};

}  // namespace
}  // namespace elman
