// The forward loop over steps, for any cell:
//
//     a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}        h_t = cell(a_t)
//
// What the input adds is written where h_t will be, for a cell of several gates into rows of its own; these are what is
// kept for BPTT where that is wanted. A cell's second state is stepped in its place.
#pragma once

#include "cells/sized.h"
#include "dispatch/level.h"
#include "recurrence/gated_step.h"
#include "recurrence/program_shares.h"
#include "recurrence/program_step.h"
#include "recurrence/schedule.h"
#include "threads/account.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class T, class Cell>
class ForwardPass {
 public:
  ForwardPass(const Forward<T>& call, const LayerWeights<T>& weights, Cell cell)
      : call_(call),
        weights_(weights),
        cell_(cell),
        hidden_size_(weights.hidden_size),
        input_weights_(weights_of(weights.input, weights.input_rows, weights.input_size, 0)),
        recurrent_weights_(
            weights_of(weights.recurrent, weights.recurrent_rows, weights.recurrent_depth, cell.apart())),
        schedule_(call.sequence, nullptr),
        cells_(call.final_cell_state) {
    if (Cell::kThroughOutput && !call.sequence.batch_sizes) return;
    Layout layout;
    const auto offsets = layout.reserve<std::int64_t>(call.sequence.batch_sizes ? call.sequence.steps : 0);
    const std::int64_t batch = call.sequence.batch;
    // a program's further states are stepped where they are kept, if they are
    const bool has_cells = cell_.states() > 1 && !(Cell::kIsProgram && call.kept);
    const std::int64_t all_cells = (cell_.states() - 1) * batch * hidden_size_;
    const auto cells = layout.reserve<T>(has_cells && !cells_ ? all_cells : 0);
    layout.take(Slot::call);
    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
    if (!has_cells) return;
    cells_apart_ = cells_ ? call.cell_states_apart : batch * hidden_size_;
    if (!cells_) cells_ = layout[cells];
    for (int state = 0; state < cell_.states() - 1; ++state) {
      const T* const from =
          call.initial_cell_state ? call.initial_cell_state + state * call.cell_states_apart : nullptr;
      for (std::int64_t i = 0; i < batch * hidden_size_; ++i) cells_[state * cells_apart_ + i] = from ? from[i] : T(0);
    }
  }

  void run() const {
    const std::int64_t depth = cell_.gates() * (weights_.input_size + weights_.recurrent_depth);
    const int threads =
        useful_threads(call_.threads, schedule_.total_rows() * hidden_size_ * depth, tuning::kMultiplicationsOfThread);
    const UnitShares shares(schedule_.batch(), hidden_size_, kPanel<T>,
                            sizeof(T) * static_cast<std::size_t>(cell_.gates() * weights_.recurrent_depth), threads);
    if (shares.count() > 1) return run_shares(shares);
    const RowGroups groups(schedule_, threads, sizeof(T) * static_cast<std::size_t>(hidden_size_ * depth));
    parallel(groups.count(), threads,
             [&](std::int64_t group) { run_group(groups.begin(group), groups.begin(group + 1)); });
  }

 private:
  static constexpr std::int64_t kChunkRows = tuning::kRowsOfProjection;
  static constexpr std::int64_t kChunkSteps = kChunkRows / tuning::kFewRows;

  // Rows first to last - 1 through all steps, a chunk of steps at a time: what the input adds is written into the
  // output and is still in the cache when its step comes.
  void run_group(std::int64_t first, std::int64_t last) const {
    const std::int64_t chunk = smaller(kChunkRows / (last - first), schedule_.steps()) * (last - first) * width();
    Layout layout;
    const auto sums = layout.reserve<T>(has_sums() ? chunk : 0);
    if constexpr (Cell::kIsProgram) {
      const auto places = Interpreter<T>::reserve(layout, *cell_.plan, hidden_size_);
      layout.take(Slot::task);
      const Interpreter<T> interpreter(layout, places, *cell_.plan, {0, hidden_size_}, call_.inputs.of_units);
      run_chunks(first, last, layout[sums], [&](std::int64_t begin, std::int64_t end) {
        run_program(begin, end, first, last, {0, input_weights_.columns}, layout[sums], &interpreter);
      });
    } else {
      if (has_sums()) layout.take(Slot::task);
      T* const of_chunk = has_sums() ? layout[sums] : nullptr;
      run_chunks(first, last, of_chunk, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t iteration = begin; iteration < end; ++iteration) {
          take_step(iteration, first, last, {0, hidden_size_}, sums_of(of_chunk, iteration - begin, last - first));
        }
      });
    }
  }

  // Calls take_steps(begin, end) for each chunk.
  template <class TakeSteps>
  void run_chunks(std::int64_t first, std::int64_t last, T* sums, const TakeSteps& take_steps) const {
    for (std::int64_t begin = 0; begin < schedule_.steps();) {
      const Units columns{0, input_weights_.columns};
      const std::int64_t end = project_inputs(begin, schedule_.steps(), first, last, columns, sums);
      const Timed timed(Phase::recurrent_steps);
      take_steps(begin, end);
      begin = end;
    }
  }

  // All rows, step by step, each step's units shared out.
  void run_shares(const UnitShares& shares) const {
    const std::int64_t batch = schedule_.batch();
    Layout layout;
    const auto sums = layout.reserve<T>(has_sums() ? kChunkSteps * batch * width() : 0);
    if constexpr (Cell::kIsProgram) {
      ProgramShares<T> programs(shares, *cell_.plan, batch, hidden_size_);
      programs.reserve(layout);
      layout.take(Slot::task);
      programs.make_in(layout, call_.inputs.of_units);
      run_program_shares(shares, programs, layout[sums]);
    } else {
      if (has_sums()) layout.take(Slot::task);
      T* const of_chunk = has_sums() ? layout[sums] : nullptr;
      Stages::run(schedule_.steps(), shares.count(), [&](std::int64_t iteration, int share) {
        begin_step(iteration, shares[share], of_chunk);
        const Timed timed(Phase::recurrent_steps);
        take_step(iteration, 0, batch, shares[share], sums_of(of_chunk, iteration % kChunkSteps, batch));
      });
    }
  }

  // The same of a program. Its pointwise part waits for all products where it reads those of other shares, or writes
  // in place what they multiply.
  void run_program_shares(const UnitShares& shares, const ProgramShares<T>& programs, T* sums) const {
    const std::int64_t batch = schedule_.batch();
    const bool waits = programs.by_rows() || cell_.gates() > 1 || (cell_.fed_back() > 0 && !call_.kept);
    const int stages = waits ? 2 : 1;
    Stages::run(stages * schedule_.steps(), shares.count(), [&](std::int64_t stage, int share) {
      const std::int64_t iteration = stage / stages;
      T* const of_step = sums_of(sums, iteration % kChunkSteps, batch);
      if (stage % stages == 0) {
        const Units columns = shares.of(input_weights_.columns, share);
        begin_step(iteration, columns, sums);
        const Timed timed(Phase::recurrent_steps);
        run_program(iteration, iteration + 1, 0, batch, columns, of_step, waits ? nullptr : &programs[share]);
      } else {
        const Timed timed(Phase::recurrent_steps);
        const std::int64_t first = programs.first_row(share), last = programs.last_row(share);
        run_program(iteration, iteration + 1, first, last, {}, of_step + first * width(), &programs[share]);
      }
    });
  }

  // Steps begin to end - 1 of a program, of the rows first to last - 1, whose sums lie behind one another: products of
  // some columns, or none, and the pointwise part, or not.
  void run_program(std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last, Units columns, T* sums,
                   const Interpreter<T>* pointwise) const {
    const ProgramStep<T> program = program_step();
    for (std::int64_t iteration = begin; iteration < end; ++iteration, sums += (last - first) * width()) {
      const std::int64_t end_of_rows = smaller(schedule_.rows_of(iteration), last);
      if (columns.end > columns.begin) add_recurrent(iteration, first, end_of_rows, columns, sums);
      if (pointwise) program.take(iteration, first, end_of_rows, sums, *pointwise);
    }
  }

  // What comes before a share's products of a step: at the beginning of a chunk, W_ih x of all its steps.
  void begin_step(std::int64_t iteration, Units columns, T* sums) const {
    const std::int64_t batch = schedule_.batch();
    if (iteration % kChunkSteps == 0) {
      project_inputs(iteration, smaller(iteration + kChunkSteps, schedule_.steps()), 0, batch, columns, sums);
    }
    for (std::int64_t row = 0; row < schedule_.rows_of(iteration - 1); ++row) {
      prefetch(before(iteration, row), hidden_size_);
    }
  }

  // Whether the sums lie neither in the output nor in what is kept.
  bool has_sums() const { return Cell::kIsProgram || (!Cell::kThroughOutput && !call_.kept); }

  // Elements of a row of sums, or of what is kept in their place.
  std::int64_t width() const {
    if constexpr (Cell::kIsProgram) return cell_.deltas() * hidden_size_;
    return (call_.kept ? cell_.kept() : cell_.gates()) * hidden_size_;
  }

  // Those of a step of a chunk, which has room for as many rows in each.
  T* sums_of(T* chunk, std::int64_t step, std::int64_t rows) const {
    return chunk ? chunk + step * rows * width() : nullptr;
  }

  // Where the sums of a row lie: in the output, in what is kept, or among those of their step.
  T* sums_at(std::int64_t step, std::int64_t row, T* of_step, std::int64_t first) const {
    if constexpr (Cell::kThroughOutput) return schedule_.at(call_.output, step, row);
    if (Cell::kIsProgram || !call_.kept) return of_step + (row - first) * width();
    return schedule_.at(kept_rows(), step, row);
  }

  Rows<T> kept_rows() const {
    const std::int64_t elements = cell_.kept() * hidden_size_;
    return {call_.kept, schedule_.batch() * elements, elements, 1};
  }

  // sums = W_ih x + (b_ih + b_hh) for as many steps before `limit` as fit a chunk; returns the first that does not.
  std::int64_t project_inputs(std::int64_t iteration, std::int64_t limit, std::int64_t first, std::int64_t last,
                              Units units, T* chunk) const {
    const Timed timed(Phase::input_projection);
    const T* from[kChunkRows];
    T* to[kChunkRows];
    std::int64_t rows = 0;
    // where units are shared out, a chunk's steps are taken whole
    const bool is_scattered = call_.input.places && schedule_.batch() > tuning::kFewRows;
    const std::int64_t most = is_scattered ? tuning::kRowsOfProjectionInPlaces : kChunkRows;
    const std::int64_t begin = iteration;
    if (!Cell::kThroughOutput) limit = smaller(limit, begin + kChunkRows / (last - first));
    for (; iteration < limit; ++iteration) {
      const std::int64_t step = schedule_.step(iteration);
      const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
      if (rows > 0 && rows + end - first > most) break;
      for (std::int64_t row = first; row < end; ++row, ++rows) {
        from[rows] = schedule_.at(call_.input, step, row);
        if (call_.input.places) prefetch(from[rows], weights_.input_size);
        to[rows] = sums_at(step, row, sums_of(chunk, iteration - begin, last - first), first);
      }
    }
    if constexpr (Cell::kSideBySide) {
      multiply_gates<T, Cell::kGates, kBlock>(
          from, call_.input.feature_stride, rows, input_weights_.slice(units.begin, units.end),
          [&](const GateSums<T, Cell::kGates>* tiles, std::ptrdiff_t count) {
            for (std::ptrdiff_t i = 0; i < count; ++i) {
              tiles[i].units == kPanel<T> ? add_bias<true>(tiles[i], to, units.begin)
                                          : add_bias<false>(tiles[i], to, units.begin);
            }
          });
      return iteration;
    }
    const auto add_bias = [&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
      const std::ptrdiff_t unit = units.begin + column;
      store(to[row] + unit, lanes, sums + load(weights_.bias + unit));
    };
    multiply<T, kBlock>(from, call_.input.feature_stride, rows, input_weights_.slice(units.begin, units.end),
                        asking(vector_by_vector(add_bias),
                               [&](std::ptrdiff_t row, std::ptrdiff_t column)
                                   __attribute__((always_inline)) { ask_for_row(to[row] + units.begin + column); }));
    return iteration;
  }

  // Stores a tile of W_ih x with the bias where its rows lie, from unit `begin` on.
  template <bool kIsWhole, class Tile>
  [[gnu::always_inline]] void add_bias(const Tile& tile, T* const* to, std::int64_t begin) const {
    const std::int64_t size = hidden_size_, units = kIsWhole ? kPanel<T> : tile.units;
    const T* const bias = weights_.bias + begin + tile.first_unit;
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      T* const sums = to[tile.first_row + row] + begin + tile.first_unit;
#pragma GCC unroll 8
      for (int gate = 0; gate < Cell::kGates; ++gate) {
#pragma GCC unroll 2
        for (std::int64_t unit = 0; unit < units; unit += kLanes<T>) {
          const int lanes = kIsWhole ? kLanes<T> : static_cast<int>(smaller(kLanes<T>, units - unit));
          store(sums + gate * size + unit, lanes, load(tile.at(gate, row) + unit) + load(bias + gate * size + unit));
        }
      }
    }
  }

  // h_t = cell(sums + W_hh h_{t-1}), and h_n of the rows whose last step this is.
  void take_step(std::int64_t iteration, std::int64_t first, std::int64_t last, Units units, T* sums) const {
    const std::int64_t step = schedule_.step(iteration);
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    const T* from[tuning::kMostRowsOfGroup];
    T* to[tuning::kMostRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      from[row - first] = before(iteration, row);
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
      const GatedStep<Cell, T> gated_step{hidden_size_, weights_.recurrent_bias, call_.kept != nullptr};
      multiply_gates<T, Cell::kGates, kBlock>(
          from, 1, end - first, weights,
          [&](const GateSums<T, Cell::kGates>* tiles, std::ptrdiff_t count) {
            gated_step.take(tiles, count, units.begin, [&](std::int64_t index) {
              const std::int64_t at = first + index;
              T* const cells = Cell::kStates == 2 ? cells_ + at * hidden_size_ : nullptr;
              return typename GatedStep<Cell, T>::Row{sums_at(step, at, sums, first), from[index], cells, to[index]};
            });
          },
          iteration);
    }
    schedule_.copy_final(call_.final_state, hidden_size_, iteration, first, end, units,
                         [&](std::int64_t row) { return to[row - first]; });
  }

  // Of a program: sums + W_hh h_{t-1}, those of the gates apart behind the others, in columns as W_ih has them. One row
  // of few units would feel a call.
  [[gnu::always_inline]] void add_recurrent(std::int64_t iteration, std::int64_t first, std::int64_t end, Units columns,
                                            T* sums) const {
    const std::int64_t rows = end - first;
    const T* from[tuning::kMostRowsOfGroup];
    for (std::int64_t row = 0; row < rows; ++row) from[row] = before(iteration, first + row);
    const std::int64_t added = recurrent_weights_.columns;
    const Units together{smaller(columns.begin, added), smaller(columns.end, added)};
    multiply<T, kBlock>(
        from, 1, rows, recurrent_weights_.slice(together.begin, together.end),
        [&](const TileSums<T>& tile) {
          tile.add_and_store(
              [&](std::ptrdiff_t row, std::ptrdiff_t column) { return sums + row * width() + together.begin + column; },
              [](const auto& a) __attribute__((always_inline)) { return a; });
        },
        iteration);
    if (cell_.apart() == 0) return;
    const std::int64_t apart = cell_.apart() * hidden_size_;
    // those that lie behind these, from a panel on
    const auto behind = [&](std::int64_t column) {
      return column == added + apart ? apart : larger(column - added, 0) / kPanel<T> * kPanel<T>;
    };
    const Units own{behind(columns.begin), behind(columns.end)};
    T* const sums_apart = sums + cell_.gates() * hidden_size_ + own.begin;
    const T* const bias = weights_.recurrent_bias + own.begin;
    const Packed<T> weights{
        weights_.recurrent_apart, weights_.recurrent_depth, apart, 1, weights_.recurrent_apart_rows, weights_.room};
    multiply<T, kBlock>(
        from, 1, rows, weights.slice(own.begin, own.end),
        vector_by_vector([&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> recurrent) {
          store(sums_apart + row * width() + column, lanes, recurrent + load(bias + column));
        }),
        iteration);
  }

  ProgramStep<T> program_step() const {
    return {{call_, schedule_, cell_, hidden_size_, weights_.zeros}, cells_, cells_apart_};
  }

  // A matrix of all gates but the last `apart`, as layer_weights.h packs them.
  Packed<T> weights_of(const T* data, const T* rows, std::int64_t depth, int apart) const {
    const std::int64_t units = weights_.hidden_size;
    if constexpr (Cell::kIsProgram) return {data, depth, (cell_.gates() - apart) * units, 1, rows, weights_.room};
    return {data, depth, units, cell_.gates(), rows, weights_.room};
  }

  // What W_hh multiplies: the state that is fed back, before a step.
  const T* before(std::int64_t iteration, std::int64_t row) const {
    if constexpr (Cell::kIsProgram) return program_step().state(cell_.fed_back(), iteration, row).data;
    return row < schedule_.rows_of(iteration - 1) ? schedule_.at(call_.output, schedule_.step(iteration - 1), row)
                                                  : initial(row);
  }

  const T* initial(std::int64_t row) const {
    return call_.initial_state ? call_.initial_state + row * hidden_size_ : weights_.zeros;
  }

  const Forward<T>& call_;
  const LayerWeights<T>& weights_;
  [[no_unique_address]] Cell cell_;
  std::int64_t hidden_size_;
  Packed<T> input_weights_, recurrent_weights_;
  Schedule schedule_;
  T* cells_;  // c (batch, hidden_size), stepped in place
  std::ptrdiff_t cells_apart_ = 0;
};

}  // namespace
}  // namespace elman
