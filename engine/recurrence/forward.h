// The forward loop over steps, for any cell:
//
//     a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}        h_t = cell(a_t)
//
// What the input adds is written where h_t will be, for a cell of several gates into rows of its own; these are what is
// kept for BPTT where that is wanted. A cell's second state is stepped in its place.
#pragma once

#include "cells/program.h"
#include "cells/sized.h"
#include "dispatch/level.h"
#include "recurrence/gated_step.h"
#include "recurrence/schedule.h"
#include "threads/account.h"
#include "tile/product.h"

namespace elman {
namespace {

struct Nothing {};

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
    const bool may_share = Cell::kSideBySide && !call.kept && batch <= tuning::kFewRows;
    const auto sums = layout.reserve<T>(may_share ? kChunkSteps * batch * width() : 0);
    // a program's further states are stepped where they are kept, if they are
    const bool has_cells = cell_.states() > 1 && !(Cell::kIsProgram && call.kept);
    const std::int64_t all_cells = (cell_.states() - 1) * batch * hidden_size_;
    const auto cells = layout.reserve<T>(has_cells && !cells_ ? all_cells : 0);
    layout.take(Slot::call);
    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
    shared_sums_ = layout[sums];
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
    if constexpr (!Cell::kIsProgram) {
      const UnitShares shares(schedule_.batch(), hidden_size_, kPanel<T>,
                              sizeof(T) * static_cast<std::size_t>(Cell::kGates * weights_.recurrent_depth), threads);
      if (shares.count() > 1) return run_shares(shares);
    }
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
    if constexpr (Cell::kIsProgram) {
      Layout layout;
      const auto sums = layout.reserve<T>(chunk);
      const auto places = Interpreter<T>::reserve(layout, *cell_.plan, hidden_size_);
      layout.take(Slot::task);
      run_chunks(first, last, layout[sums],
                 Interpreter<T>(layout, places, *cell_.plan, hidden_size_, call_.inputs.of_units));
    } else {
      T* sums = nullptr;
      if (!Cell::kThroughOutput && !call_.kept) {
        Layout layout;
        const auto place = layout.reserve<T>(chunk);
        layout.take(Slot::task);
        sums = layout[place];
      }
      run_chunks(first, last, sums, Nothing{});
    }
  }

  template <class Runner>
  void run_chunks(std::int64_t first, std::int64_t last, T* sums, const Runner& runner) const {
    std::int64_t iteration = 0;
    while (iteration < schedule_.steps()) {
      const std::int64_t begin = iteration;
      const std::int64_t end = project_inputs(iteration, schedule_.steps(), first, last, {0, hidden_size_}, sums);
      const Timed timed(Phase::recurrent_steps);
      for (; iteration < end; ++iteration) {
        take_step(iteration, first, last, {0, hidden_size_}, sums_of(sums, iteration - begin, last - first), runner);
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
      take_step(iteration, 0, batch, shares[share], sums_of(shared_sums_, iteration % kChunkSteps, batch), Nothing{});
    });
  }

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
    if constexpr (Cell::kIsProgram) units.end = cell_.gates() * hidden_size_;
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
  template <class Runner>
  void take_step(std::int64_t iteration, std::int64_t first, std::int64_t last, Units units, T* sums,
                 const Runner& runner) const {
    const std::int64_t step = schedule_.step(iteration);
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    const std::int64_t before = schedule_.rows_of(iteration - 1);
    const T* from[tuning::kMostRowsOfGroup];
    T* to[tuning::kMostRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      if (cell_.fed_back() > 0) {
        from[row - first] = further_state(cell_.fed_back(), iteration, row).data;
      } else {
        from[row - first] =
            row < before ? schedule_.at(call_.output, schedule_.step(iteration - 1), row) : initial(row);
      }
      to[row - first] = schedule_.at(call_.output, step, row);
    }
    const Packed<T> weights = recurrent_weights_.slice(units.begin, units.end);
    if constexpr (Cell::kIsProgram) {
      add_recurrent(from, sums, end - first, iteration);
      const std::int64_t cut = larger(first, smaller(before, end));
      if (first < cut) run_program(iteration, first, cut, first, sums, runner);
      if (cut < end) run_program(iteration, cut, end, first, sums, runner);
      return finish_program(iteration, first, end);
    } else if constexpr (Cell::kThroughOutput) {
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
    copy_final(call_.final_state, iteration, first, end, units, [&](std::int64_t row) { return to[row - first]; });
  }

  // Some units of a state, of the rows whose last step this is; where it lies is at(row).
  template <class At>
  void copy_final(T* final, std::int64_t iteration, std::int64_t first, std::int64_t end, Units units,
                  const At& at) const {
    if (!final) return;
    for (std::int64_t row = larger(first, schedule_.rows_of(iteration + 1)); row < end; ++row) {
      __builtin_memcpy(final + row * hidden_size_ + units.begin, at(row) + units.begin,
                       sizeof(T) * static_cast<std::size_t>(units.end - units.begin));
    }
  }

  // Of a program: the sums of the rows with W_hh h_{t-1}, those of the gates apart behind the others.
  void add_recurrent(const T* const* from, T* sums, std::int64_t rows, std::int64_t iteration) const {
    multiply<T, kBlock>(
        from, 1, rows, recurrent_weights_,
        [&](const TileSums<T>& tile) {
          tile.add_and_store([&](std::ptrdiff_t row, std::ptrdiff_t column) { return sums + row * width() + column; },
                             [](const auto& a) __attribute__((always_inline)) { return a; });
        },
        iteration);
    if (cell_.apart() == 0) return;
    T* const apart = sums + cell_.gates() * hidden_size_;
    const Packed<T> weights{weights_.recurrent_apart,      weights_.recurrent_depth,
                            cell_.apart() * hidden_size_,  1,
                            weights_.recurrent_apart_rows, weights_.room};
    multiply<T, kBlock>(
        from, 1, rows, weights,
        vector_by_vector([&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> recurrent) {
          store(apart + row * width() + column, lanes, recurrent + load(weights_.recurrent_bias + column));
        }),
        iteration);
  }

  // Where a further state of a program is stepped in place, from a row on.
  Operand<T> cells(int state, std::int64_t row) const {
    return {cells_ + (state - 1) * cells_apart_ + row * hidden_size_, hidden_size_, 1};
  }

  // A further state of a program before a step, from a row on, of rows that all have a step before this one, or none.
  Operand<T> further_state(int state, std::int64_t iteration, std::int64_t row) const {
    if (!call_.kept) return cells(state, row);
    if (row >= schedule_.rows_of(iteration - 1)) {
      return initial_cells(call_, state, row, weights_.zeros, hidden_size_);
    }
    const std::int64_t field = (cell_.kept() - cell_.states() + state) * hidden_size_;
    return reading<T>(schedule_.at(kept_rows(), schedule_.step(iteration - 1), row) + field,
                      cell_.kept() * hidden_size_);
  }

  // Of rows that all have a step before this one, or none.
  [[gnu::noinline]] void run_program(std::int64_t iteration, std::int64_t begin, std::int64_t end, std::int64_t first,
                                     T* sums, const Interpreter<T>& interpreter) const {
    const std::int64_t step = schedule_.step(iteration), elements = cell_.kept() * hidden_size_;
    const bool is_first = begin >= schedule_.rows_of(iteration - 1);
    T* const own_sums = sums + (begin - first) * width();
    T* const kept = call_.kept ? schedule_.at(kept_rows(), step, begin) : nullptr;
    const auto field = [&](int index) { return Operand<T>{kept + index * hidden_size_, elements, 1}; };
    const int kept_of_states = cell_.kept() - cell_.states();  // the field of state s is behind it, s fields
    interpreter.run(end - begin, [&](Kind kind, int index) -> Operand<T> {
      switch (kind) {
        case Kind::sum:
        case Kind::from_input: return {own_sums + index * hidden_size_, width(), 1};
        case Kind::from_hidden: return {own_sums + (cell_.apart() + index) * hidden_size_, width(), 1};
        case Kind::new_state:
          if (index == 0) return {schedule_.at(call_.output, step, begin), call_.output.row_stride, 1};
          return kept ? field(kept_of_states + index) : cells(index, begin);
        case Kind::kept: return field(index);
        case Kind::state:
          if (index > 0) return further_state(index, iteration, begin);
          if (is_first) return reading(initial(begin), call_.initial_state ? hidden_size_ : 0);
          return reading<T>(schedule_.at(call_.output, schedule_.step(iteration - 1), begin), call_.output.row_stride);
        default: return input_of_program(call_, schedule_, kind, index, step, begin, hidden_size_);
      }
    });
  }

  // The further states of the rows whose last step this is, of a program that keeps them.
  void finish_program(std::int64_t iteration, std::int64_t first, std::int64_t end) const {
    const std::int64_t step = schedule_.step(iteration);
    const Units units{0, hidden_size_};
    copy_final(call_.final_state, iteration, first, end, units,
               [&](std::int64_t row) { return schedule_.at(call_.output, step, row); });
    if (!call_.kept || !call_.final_cell_state) return;
    for (int state = 0; state < cell_.states() - 1; ++state) {
      const std::int64_t field = (cell_.kept() - cell_.states() + 1 + state) * hidden_size_;
      copy_final(call_.final_cell_state + state * call_.cell_states_apart, iteration, first, end, units,
                 [&](std::int64_t row) { return schedule_.at(kept_rows(), step, row) + field; });
    }
  }

  // A matrix of all gates but the last `apart`, as layer_weights.h packs them.
  Packed<T> weights_of(const T* data, const T* rows, std::int64_t depth, int apart) const {
    const std::int64_t units = weights_.hidden_size;
    if constexpr (Cell::kIsProgram) return {data, depth, (cell_.gates() - apart) * units, 1, rows, weights_.room};
    return {data, depth, units, cell_.gates(), rows, weights_.room};
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
  T* shared_sums_ = nullptr;  // of a chunk of steps, where units are shared out
  T* cells_;                  // c (batch, hidden_size), stepped in place
  std::ptrdiff_t cells_apart_ = 0;
};

}  // namespace
}  // namespace elman
