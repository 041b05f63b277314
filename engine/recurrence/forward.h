// The forward loop over steps, for any cell:
//
//     a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}        h_t = cell(a_t)
//
// What the input adds is written where h_t will be, for a cell of several gates into rows of its own; these are what is
// kept for BPTT where that is wanted. A cell's second state is stepped in its place.
#pragma once

#include "cells/sized.h"
#include "dispatch/level.h"
#include "recurrence/schedule.h"
#include "threads/account.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class T, class Cell>
class ForwardPass {
 public:
  ForwardPass(const Forward<T>& call, const LayerWeights<T>& weights)
      : call_(call),
        weights_(weights),
        hidden_size_(weights.hidden_size),
        input_weights_{weights.input, weights.input_size, weights.hidden_size, Cell::kGates},
        recurrent_weights_{weights.recurrent, weights.recurrent_depth, weights.hidden_size, Cell::kGates},
        schedule_(call.sequence, nullptr),
        cells_(call.final_cell_state) {
    if (Cell::kThroughOutput && !call.sequence.batch_sizes) return;
    Layout layout;
    const auto offsets = layout.reserve<std::int64_t>(call.sequence.batch_sizes ? call.sequence.steps : 0);
    const std::int64_t batch = call.sequence.batch;
    const bool may_share = !Cell::kThroughOutput && !call.kept && batch <= tuning::kFewRows;
    const auto sums = layout.reserve<T>(may_share ? kChunkSteps * batch * width() : 0);
    const auto cells = layout.reserve<T>(Cell::kStates == 2 && !cells_ ? batch * hidden_size_ : 0);
    layout.take(Slot::call);
    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
    shared_sums_ = layout[sums];
    if constexpr (Cell::kStates == 2) {
      if (!cells_) cells_ = layout[cells];
      for (std::int64_t i = 0; i < batch * hidden_size_; ++i) {
        cells_[i] = call.initial_cell_state ? call.initial_cell_state[i] : T(0);
      }
    }
  }

  void run() const {
    const std::int64_t depth = Cell::kGates * (weights_.input_size + weights_.recurrent_depth);
    const int threads =
        useful_threads(call_.threads, schedule_.total_rows() * hidden_size_ * depth, tuning::kMultiplicationsOfThread);
    const UnitShares shares(schedule_.batch(), hidden_size_, kPanel<T>,
                            sizeof(T) * static_cast<std::size_t>(Cell::kGates * weights_.recurrent_depth), threads);
    if (shares.count() > 1) return run_shares(shares);
    const RowGroups groups(schedule_.batch(), threads, sizeof(T) * static_cast<std::size_t>(hidden_size_ * depth));
    parallel(groups.count(), threads,
             [&](std::int64_t group) { run_group(groups.begin(group), groups.begin(group + 1)); });
  }

 private:
  static constexpr std::int64_t kChunkRows = tuning::kRowsOfProjection;
  static constexpr std::int64_t kChunkSteps = kChunkRows / tuning::kFewRows;

  // Rows first to last - 1 through all steps, a chunk of steps at a time: what the input adds is written into the
  // output and is still in the cache when its step comes.
  void run_group(std::int64_t first, std::int64_t last) const {
    T* sums = nullptr;
    if (!Cell::kThroughOutput && !call_.kept) {
      const std::int64_t steps = kChunkRows / (last - first);
      Layout layout;
      const auto place = layout.reserve<T>(smaller(steps, schedule_.steps()) * (last - first) * width());
      layout.take(Slot::task);
      sums = layout[place];
    }
    std::int64_t iteration = 0;
    while (iteration < schedule_.steps()) {
      const std::int64_t begin = iteration;
      const std::int64_t end = project_inputs(iteration, schedule_.steps(), first, last, {0, hidden_size_}, sums);
      const Timed timed(Phase::recurrent_steps);
      for (; iteration < end; ++iteration) {
        take_step(iteration, first, last, {0, hidden_size_}, sums_of(sums, iteration - begin, last - first));
      }
    }
  }

  // All rows, step by step, each step's units shared out.
  void run_shares(const UnitShares& shares) const {
    const std::int64_t batch = schedule_.batch();
    Stages::run(schedule_.steps(), shares.count(), [&](std::int64_t iteration, int share) {
      if (iteration % kChunkSteps == 0) {
        const std::int64_t limit = smaller(iteration + kChunkSteps, schedule_.steps());
        project_inputs(iteration, limit, 0, batch, shares[share], shared_sums_);
      }
      const Timed timed(Phase::recurrent_steps);
      for (std::int64_t row = 0; row < schedule_.rows_of(iteration - 1); ++row) {
        prefetch(schedule_.at(call_.output, schedule_.step(iteration - 1), row), hidden_size_);
      }
      take_step(iteration, 0, batch, shares[share], sums_of(shared_sums_, iteration % kChunkSteps, batch));
    });
  }

  // Elements of a row of sums, or of what is kept in their place.
  std::int64_t width() const { return (call_.kept ? Cell::kKept : Cell::kGates) * hidden_size_; }

  // Those of a step of a chunk, which has room for as many rows in each.
  T* sums_of(T* chunk, std::int64_t step, std::int64_t rows) const {
    return chunk ? chunk + step * rows * width() : nullptr;
  }

  // Where the sums of a row lie: in the output, in what is kept, or among those of their step.
  T* sums_at(std::int64_t step, std::int64_t row, T* of_step, std::int64_t first) const {
    if constexpr (Cell::kThroughOutput) return schedule_.at(call_.output, step, row);
    if (!call_.kept) return of_step + (row - first) * width();
    return schedule_.at(Rows<T>{call_.kept, schedule_.batch() * width(), width(), 1}, step, row);
  }

  // sums = W_ih x + (b_ih + b_hh) for as many steps before `limit` as fit a chunk; returns the first that does not.
  std::int64_t project_inputs(std::int64_t iteration, std::int64_t limit, std::int64_t first, std::int64_t last,
                              Units units, T* chunk) const {
    const Timed timed(Phase::input_projection);
    const T* from[kChunkRows];
    T* to[kChunkRows];
    std::int64_t rows = 0;
    const std::int64_t begin = iteration;
    if (!Cell::kThroughOutput) limit = smaller(limit, begin + kChunkRows / (last - first));
    for (; iteration < limit; ++iteration) {
      const std::int64_t step = schedule_.step(iteration);
      const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
      if (rows + end - first > kChunkRows) break;
      for (std::int64_t row = first; row < end; ++row, ++rows) {
        from[rows] = schedule_.at(call_.input, step, row);
        to[rows] = sums_at(step, row, sums_of(chunk, iteration - begin, last - first), first);
      }
    }
    if constexpr (!Cell::kThroughOutput) {
      multiply_gates<T, Cell::kGates, kBlock>(
          from, call_.input.feature_stride, rows, input_weights_.slice(units.begin, units.end),
          [&](const GateSums<T, Cell::kGates>& tile) {
            for (std::int64_t row = 0; row < tile.rows; ++row) {
              for (int gate = 0; gate < Cell::kGates; ++gate) {
                const std::int64_t at = gate * hidden_size_ + units.begin + tile.first_unit;
                for (std::int64_t unit = 0; unit < tile.units; unit += kLanes<T>) {
                  const int lanes = static_cast<int>(smaller(kLanes<T>, tile.units - unit));
                  store(to[tile.first_row + row] + at + unit, lanes,
                        load(tile.at(gate, row) + unit) + load(weights_.bias + at + unit));
                }
              }
            }
          });
      return iteration;
    }
    multiply<T, kBlock>(from, call_.input.feature_stride, rows, input_weights_.slice(units.begin, units.end),
                        vector_by_vector([&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          const std::ptrdiff_t unit = units.begin + column;
                          store(to[row] + unit, lanes, sums + load(weights_.bias + unit));
                        }));
    return iteration;
  }

  // h_t = cell(sums + W_hh h_{t-1}), and h_n of the rows whose last step this is.
  void take_step(std::int64_t iteration, std::int64_t first, std::int64_t last, Units units, T* sums) const {
    const std::int64_t step = schedule_.step(iteration);
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    const std::int64_t before = schedule_.rows_of(iteration - 1);
    const T* from[tuning::kRowsOfGroup];
    T* to[tuning::kRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      from[row - first] = row < before ? schedule_.at(call_.output, schedule_.step(iteration - 1), row) : initial(row);
      to[row - first] = schedule_.at(call_.output, step, row);
    }
    const Packed<T> weights = recurrent_weights_.slice(units.begin, units.end);
    if constexpr (Cell::kThroughOutput) {
      multiply<T, kBlock>(
          from, 1, end - first, weights,
          [&](const TileSums<T>& tile) {
            tile.add_and_store(
                [&](std::ptrdiff_t row, std::ptrdiff_t column) { return to[row] + units.begin + column; },
                [](const auto& a) __attribute__((always_inline)) { return Cell::template activate<T>(a); });
          },
          iteration);
    } else {
      multiply_gates<T, Cell::kGates, kBlock>(
          from, 1, end - first, weights, [&](const GateSums<T, Cell::kGates>& tile) {
            for (std::int64_t row = 0; row < tile.rows; ++row) {
              const std::int64_t at = first + tile.first_row + row;
              T* const cells = Cell::kStates == 2 ? cells_ + at * hidden_size_ : nullptr;
              const T* const before_h = from[at - first];
              step_units(tile, row, units.begin, sums_at(step, at, sums, first), before_h, cells, to[at - first]);
            }
          });
    }
    if (!call_.final_state) return;
    for (std::int64_t row = larger(first, schedule_.rows_of(iteration + 1)); row < end; ++row) {
      __builtin_memcpy(call_.final_state + row * hidden_size_ + units.begin, to[row - first] + units.begin,
                       sizeof(T) * static_cast<std::size_t>(units.end - units.begin));
    }
  }

  // The units of a row of a tile.
  void step_units(const GateSums<T, Cell::kGates>& tile, std::int64_t row, std::int64_t begin, T* sums, const T* before,
                  T* cells, T* output) const {
    if (tile.units == kPanel<T>) return step_vectors<2>(tile, row, 0, kLanes<T>, begin, sums, before, cells, output);
    for (std::int64_t unit = 0; unit < tile.units; unit += kLanes<T>) {
      const int lanes = static_cast<int>(smaller(kLanes<T>, tile.units - unit));
      step_vectors<1>(tile, row, unit, lanes, begin, sums, before, cells, output);
    }
  }

  template <int kVectors>
  [[gnu::always_inline]] void step_vectors(const GateSums<T, Cell::kGates>& tile, std::int64_t row, std::int64_t unit,
                                           int lanes, std::int64_t begin, T* sums, const T* before, T* cells,
                                           T* output) const {
    using X = Several<Vector<T>, kVectors>;
    constexpr int kAdded = Cell::kGates - Cell::kApart;
    const std::int64_t column = begin + tile.first_unit + unit;
    T* const fields = sums + column;
    const auto recurrent = [&](int gate) __attribute__((always_inline)) {
      return load_several<kVectors>(tile.at(gate, row) + unit);
    };
    const auto added =
        fields_of<typename Cell::template Gates<X>, Cell::kGates>([&](int gate) __attribute__((always_inline)) {
          const X from_input = load_several<kVectors>(fields + gate * hidden_size_, lanes);
          return gate < kAdded ? from_input + recurrent(gate) : from_input;
        });
    const auto apart =
        fields_of<typename Cell::template Apart<X>, Cell::kApart>([&](int gate) __attribute__((always_inline)) {
          const T* const bias = weights_.recurrent_bias + gate * hidden_size_ + column;
          return recurrent(kAdded + gate) + load_several<kVectors>(bias);
        });
    const X state = load_several<kVectors>((Cell::kStates == 2 ? cells : before) + column, lanes);
    Cell::template step<T>(added, apart, state, [&](const X& hidden, const auto& kept) __attribute__((always_inline)) {
      store_several<T>(output + column, lanes, hidden);
      if constexpr (Cell::kStates == 2) store_several<T>(cells + column, lanes, kept.cell);
      if (!call_.kept) return;
      for_each_field<Cell::kKept>(kept, [&](int field, const X& value) __attribute__((always_inline)) {
        store_several<T>(fields + field * hidden_size_, lanes, value);
      });
    });
  }

  const T* initial(std::int64_t row) const {
    return call_.initial_state ? call_.initial_state + row * hidden_size_ : weights_.zeros;
  }

  const Forward<T>& call_;
  const LayerWeights<T>& weights_;
  std::int64_t hidden_size_;
  Packed<T> input_weights_, recurrent_weights_;
  Schedule schedule_;
  T* shared_sums_ = nullptr;  // of a chunk of steps, where units are shared out
  T* cells_;                  // c (batch, hidden_size), stepped in place
};

}  // namespace
}  // namespace elman
