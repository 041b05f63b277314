// The forward loop over steps, for any cell:
//
//     a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}        h_t = cell(a_t)
#pragma once

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
        input_weights_{weights.input, weights.input_size, weights.hidden_size},
        recurrent_weights_{weights.recurrent, weights.recurrent_depth, weights.hidden_size},
        schedule_(call.sequence, nullptr) {
    if (!call.sequence.batch_sizes) return;
    Layout layout;
    const auto offsets = layout.reserve<std::int64_t>(call.sequence.steps);
    layout.take(Slot::call);
    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
  }

  void run() const {
    const std::int64_t depth = weights_.input_size + weights_.recurrent_depth;
    const int threads =
        useful_threads(call_.threads, schedule_.total_rows() * hidden_size_ * depth, tuning::kMultiplicationsOfThread);
    const UnitShares shares(schedule_.batch(), hidden_size_, kPanel<T>,
                            sizeof(T) * static_cast<std::size_t>(weights_.recurrent_depth), threads);
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
    std::int64_t iteration = 0;
    while (iteration < schedule_.steps()) {
      const std::int64_t end = project_inputs(iteration, schedule_.steps(), first, last, {0, hidden_size_});
      const Timed timed(Phase::recurrent_steps);
      for (; iteration < end; ++iteration) take_step(iteration, first, last, {0, hidden_size_});
    }
  }

  // All rows, step by step, each step's units shared out.
  void run_shares(const UnitShares& shares) const {
    const std::int64_t batch = schedule_.batch();
    Stages::run(schedule_.steps(), shares.count(), [&](std::int64_t iteration, int share) {
      if (iteration % kChunkSteps == 0) {
        project_inputs(iteration, smaller(iteration + kChunkSteps, schedule_.steps()), 0, batch, shares[share]);
      }
      const Timed timed(Phase::recurrent_steps);
      for (std::int64_t row = 0; row < schedule_.rows_of(iteration - 1); ++row) {
        prefetch(schedule_.at(call_.output, schedule_.step(iteration - 1), row), hidden_size_);
      }
      take_step(iteration, 0, batch, shares[share]);
    });
  }

  // output = W_ih x + (b_ih + b_hh) for as many steps before `limit` as fit a chunk; returns the first that does not.
  std::int64_t project_inputs(std::int64_t iteration, std::int64_t limit, std::int64_t first, std::int64_t last,
                              Units units) const {
    const Timed timed(Phase::input_projection);
    const T* from[kChunkRows];
    T* to[kChunkRows];
    std::int64_t rows = 0;
    for (; iteration < limit; ++iteration) {
      const std::int64_t step = schedule_.step(iteration);
      const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
      if (rows + end - first > kChunkRows) break;
      for (std::int64_t row = first; row < end; ++row, ++rows) {
        from[rows] = schedule_.at(call_.input, step, row);
        to[rows] = schedule_.at(call_.output, step, row);
      }
    }
    multiply<T, kBlock>(from, call_.input.feature_stride, rows, input_weights_.slice(units.begin, units.end),
                        vector_by_vector([&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          const std::ptrdiff_t unit = units.begin + column;
                          store(to[row] + unit, lanes, sums + load(weights_.bias + unit));
                        }));
    return iteration;
  }

  // h_t = cell(output + W_hh h_{t-1}), and h_n of the rows whose last step this is.
  void take_step(std::int64_t iteration, std::int64_t first, std::int64_t last, Units units) const {
    const std::int64_t step = schedule_.step(iteration);
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    const std::int64_t before = schedule_.rows_of(iteration - 1);
    const T* from[tuning::kRowsOfGroup];
    T* to[tuning::kRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      from[row - first] = row < before ? schedule_.at(call_.output, schedule_.step(iteration - 1), row) : initial(row);
      to[row - first] = schedule_.at(call_.output, step, row);
    }
    multiply<T, kBlock>(
        from, 1, end - first, recurrent_weights_.slice(units.begin, units.end),
        [&](const TileSums<T>& tile) {
          tile.add_and_store([&](std::ptrdiff_t row, std::ptrdiff_t column) { return to[row] + units.begin + column; },
                             [](const auto& a)
                                 __attribute__((always_inline)) { return Cell::template activate<T>(a); });
        },
        iteration);
    if (!call_.final_state) return;
    for (std::int64_t row = larger(first, schedule_.rows_of(iteration + 1)); row < end; ++row) {
      __builtin_memcpy(call_.final_state + row * hidden_size_ + units.begin, to[row - first] + units.begin,
                       sizeof(T) * static_cast<std::size_t>(units.end - units.begin));
    }
  }

  const T* initial(std::int64_t row) const {
    return call_.initial_state ? call_.initial_state + row * hidden_size_ : weights_.zeros;
  }

  const Forward<T>& call_;
  const LayerWeights<T>& weights_;
  std::int64_t hidden_size_;
  Packed<T> input_weights_, recurrent_weights_;
  Schedule schedule_;
};

}  // namespace
}  // namespace elman
