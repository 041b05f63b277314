// The forward loop over steps, for any cell:
//
//     a_t = (W_ih x_t + (b_ih + b_hh)) + W_hh h_{t-1}        h_t = cell(a_t)
#pragma once

#include "recurrence/schedule.h"
#include "tile/product.h"

namespace elman {
namespace {

template <class T, class Cell>
class ForwardPass {
 public:
  explicit ForwardPass(const Forward<T>& call)
      : call_(call), hidden_size_(call.weights.hidden_size), schedule_(call.sequence, nullptr) {
    const Weights<T>& weights = call.weights;
    Layout layout;
    const auto offsets = layout.reserve<std::int64_t>(call.sequence.batch_sizes ? call.sequence.steps : 0);
    const auto input = layout.reserve<T>(Packed<T>::size(weights.input_size, hidden_size_));
    const auto recurrent = layout.reserve<T>(Packed<T>::size(hidden_size_, hidden_size_));
    const auto bias = layout.reserve<T>(hidden_size_ + kLanes<T>);
    const auto zeros = layout.reserve<T>(hidden_size_);
    layout.take(Slot::call);

    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
    input_weights_ = pack(weights.input, 1, weights.input_size, weights.input_size, hidden_size_, layout[input]);
    recurrent_weights_ = pack(weights.recurrent, 1, hidden_size_, hidden_size_, hidden_size_, layout[recurrent]);
    bias_ = layout[bias];
    zeros_ = layout[zeros];
    for (std::int64_t i = 0; i < hidden_size_; ++i) {
      layout[bias][i] = (weights.input_bias ? weights.input_bias[i] : T(0)) +
                        (weights.recurrent_bias ? weights.recurrent_bias[i] : T(0));
      layout[zeros][i] = 0;
    }
  }

  void run() const {
    const std::int64_t depth = call_.weights.input_size + hidden_size_;
    const int threads = useful_threads(call_.threads, schedule_.total_rows() * hidden_size_ * depth);
    const RowGroups groups(schedule_.batch(), threads, sizeof(T) * static_cast<std::size_t>(hidden_size_ * depth));
    parallel(groups.count(), threads,
             [&](std::int64_t group) { run_group(groups.begin(group), groups.begin(group + 1)); });
  }

 private:
  static constexpr std::int64_t kChunkRows = 2 * RowGroups::kLargest;

  // Rows first to last - 1 through all steps, a chunk of steps at a time: what the input adds is written into the
  // output and is still in the cache when its step comes.
  void run_group(std::int64_t first, std::int64_t last) const {
    std::int64_t order = 0;
    while (order < schedule_.steps()) {
      const std::int64_t end = project_inputs(order, first, last);
      for (; order < end; ++order) advance(order, first, last);
    }
  }

  // output = W_ih x + (b_ih + b_hh) for as many steps as fit a chunk; returns the first that does not.
  std::int64_t project_inputs(std::int64_t order, std::int64_t first, std::int64_t last) const {
    const T* from[kChunkRows];
    T* to[kChunkRows];
    std::int64_t rows = 0;
    for (; order < schedule_.steps(); ++order) {
      const std::int64_t step = schedule_.step(order);
      const std::int64_t end = smaller(schedule_.rows_in_order(order), last);
      if (rows + end - first > kChunkRows) break;
      for (std::int64_t row = first; row < end; ++row, ++rows) {
        from[rows] = schedule_.at(call_.input, step, row);
        to[rows] = schedule_.at(call_.output, step, row);
      }
    }
    multiply<T, kBlock>(from, call_.input.feature_stride, rows, input_weights_,
                        [&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          store(to[row] + column, lanes, sums + load(bias_ + column));
                        });
    return order;
  }

  // h_t = cell(output + W_hh h_{t-1}), and h_n of the rows whose last step this is.
  void advance(std::int64_t order, std::int64_t first, std::int64_t last) const {
    const std::int64_t step = schedule_.step(order);
    const std::int64_t end = smaller(schedule_.rows_in_order(order), last);
    const std::int64_t before = schedule_.rows_in_order(order - 1);
    const T* from[RowGroups::kLargest];
    T* to[RowGroups::kLargest];
    for (std::int64_t row = first; row < end; ++row) {
      from[row - first] = row < before ? schedule_.at(call_.output, schedule_.step(order - 1), row) : initial(row);
      to[row - first] = schedule_.at(call_.output, step, row);
    }
    multiply<T, kBlock>(from, 1, end - first, recurrent_weights_,
                        [&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          T* hidden = to[row] + column;
                          store(hidden, lanes, Cell::template activate<T>(load(hidden, 1, lanes) + sums));
                        });
    if (!call_.final_state) return;
    for (std::int64_t row = larger(first, schedule_.rows_in_order(order + 1)); row < end; ++row) {
      __builtin_memcpy(call_.final_state + row * hidden_size_, to[row - first],
                       sizeof(T) * static_cast<std::size_t>(hidden_size_));
    }
  }

  const T* initial(std::int64_t row) const {
    return call_.initial_state ? call_.initial_state + row * hidden_size_ : zeros_;
  }

  const Forward<T>& call_;
  std::int64_t hidden_size_;
  Schedule schedule_;
  Packed<T> input_weights_, recurrent_weights_;
  const T* bias_;  // b_ih + b_hh, readable to the end of the last vector
  const T* zeros_;
};

}  // namespace
}  // namespace elman
