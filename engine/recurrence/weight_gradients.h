// The sums over all steps and rows:
//
//     dW_ih = sum d_t x_t^T        dW_hh = sum d_t h_{t-1}^T        db = sum d_t
//
// in the order in which BPTT reaches the rows. The products are added in chains of 32, 32 chains to a group, the
// biases' terms in such groups too; groups are added in order. That keeps the error of long sums below PyTorch's, and
// neither chunks nor threads touch it.
#pragma once

#include "recurrence/deltas.h"

namespace elman {
namespace {

template <class T>
class WeightGradients {
 public:
  // How many there are of each among the deltas of a row.
  struct Counts {
    std::int64_t gates, apart, unit_inputs;
  };

  WeightGradients(const Backward<T>& call, const Counts& counts, DeltaChunk<T>& chunk, const GroupTiles<T>& tiles)
      : call_(call),
        gates_(counts.gates),
        apart_(counts.apart),
        unit_inputs_(call.d_unit_inputs ? counts.unit_inputs : 0),
        chunk_(chunk),
        tiles_(tiles),
        input_size_(call.weights.input_size),
        hidden_size_(call.weights.hidden_size) {}

  // dx of the chunk's fresh rows, and all groups of rows that are complete (on the last chunk, the rest too).
  void add_chunk(const Packed<T>& input_weights, bool last, int threads) {
    const std::int64_t complete = (chunk_.filled - consumed_) / kGroupRows * kGroupRows;
    const std::int64_t end = last ? chunk_.filled : consumed_ + complete;
    const InputBlocks blocks(chunk_.fresh, call_.d_input.data ? chunk_.filled : chunk_.fresh, input_size_, threads);
    const std::int64_t tiles = call_.d_input_weights || call_.d_recurrent_weights ? GroupTiles<T>::count(deltas()) : 0;
    std::int64_t group = consumed_;
    std::int64_t depth = smaller(kGroupRows, end - group);
    parallel(blocks.count() + (depth > 0 ? tiles : 0), threads, [&](std::int64_t task) {
      const Timed timed(task < blocks.count() ? Phase::input_gradients : Phase::weight_gradients);
      if (task < blocks.count()) return differentiate_inputs(input_weights, blocks[task]);
      pack_tile(task - blocks.count(), group, depth);
    });
    while (depth > 0) {
      add_group(group, depth, threads);
      is_first_ = false;
      group += depth;
      depth = smaller(kGroupRows, end - group);
      if (depth == 0) break;
      parallel(tiles, threads, [&](std::int64_t task) {
        const Timed timed(Phase::weight_gradients);
        pack_tile(task, group, depth);
      });
    }
    consumed_ = end - chunk_.forget(end);
  }

 private:
  std::int64_t deltas() const { return (gates_ + apart_) * hidden_size_; }

  struct InputBlock {
    std::int64_t first_row, rows, first_column, last_column;
  };

  // How dx is shared out: blocks of rows, and where these are few also of columns.
  class InputBlocks {
   public:
    InputBlocks(std::int64_t first, std::int64_t last, std::int64_t columns, int threads)
        : first_(first), last_(last), columns_(columns), tiles_(panels(last - first, kTileRows)) {
      down_ = panels(tiles_, tuning::kRowsOfInputGradient / kTileRows);
      if (threads > 1 && down_ > 0) {
        across_ = smaller(panels(tuning::kInputGradientsOfThread * threads, down_), panels(columns, kPanel<T>));
      }
    }

    std::int64_t count() const { return down_ * across_; }

    InputBlock operator[](std::int64_t block) const {
      const std::int64_t row = block / across_, column = block % across_;
      const std::int64_t first = first_row(row);
      return {first, first_row(row + 1) - first, first_column(column), first_column(column + 1)};
    }

   private:
    std::int64_t first_row(std::int64_t row) const { return smaller(first_ + tiles_ * row / down_ * kTileRows, last_); }
    std::int64_t first_column(std::int64_t column) const {
      return smaller(panels(columns_, kPanel<T>) * column / across_ * kPanel<T>, columns_);
    }

    std::int64_t first_, last_, columns_, tiles_, down_ = 0, across_ = 1;
  };

  // dx = W_ih^T d
  void differentiate_inputs(const Packed<T>& weights, const InputBlock& block) const {
    const T* from[tuning::kRowsOfInputGradient];
    for (std::int64_t row = 0; row < block.rows; ++row) from[row] = chunk_.delta(block.first_row + row);
    const auto at = [&](std::ptrdiff_t row, std::ptrdiff_t column) {
      return chunk_.d_inputs[block.first_row + row] + block.first_column + column;
    };
    const auto put = [&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
      T* const to = at(row, column);
      store(to, lanes, call_.add_to_d_input ? load(to, 1, lanes) + sums : sums);
    };
    multiply<T, kBlock>(from, 1, block.rows, weights.slice(block.first_column, block.last_column),
                        asking(vector_by_vector(put), [&](std::ptrdiff_t row, std::ptrdiff_t column) __attribute__((
                                                          always_inline)) { ask_for_row(at(row, column)); }));
  }

  void pack_tile(std::int64_t tile, std::int64_t group, std::int64_t depth) const {
    tiles_.pack(tile, deltas(), chunk_.delta(group), chunk_.row_distance, depth);
  }

  void add_group(std::int64_t group, std::int64_t depth, int threads) const {
    const std::int64_t input_panels = call_.d_input_weights ? panels(input_size_, kPanel<T>) : 0;
    const std::int64_t recurrent_panels = call_.d_recurrent_weights ? panels(hidden_size_, kPanel<T>) : 0;
    const std::int64_t all = input_panels + recurrent_panels;
    const std::int64_t at_once = larger(1, smaller(all / (4 * threads), tuning::kPanelsAtOnce));
    const std::int64_t halves = threads > 1 && all < tuning::kPanelsOfThread * threads ? 2 : 1;
    const std::int64_t input_tasks = panels(input_panels, at_once) * halves;
    const std::int64_t recurrent_tasks = panels(recurrent_panels, at_once) * halves;
    const std::int64_t of_biases = call_.d_bias || call_.d_recurrent_bias || unit_inputs_ > 0 ? 1 : 0;
    parallel(of_biases + input_tasks + recurrent_tasks, threads, [&](std::int64_t task) {
      const Timed timed(Phase::weight_gradients);
      if (of_biases > 0 && task-- == 0) return add_biases(group, depth);
      const std::int64_t rows = gates_ * hidden_size_;
      const Units units{rows * (task % halves) / halves, rows * (task % halves + 1) / halves};
      const std::int64_t width = at_once * kPanel<T>;
      if (task < input_tasks) {
        add_columns(chunk_.inputs + group, call_.input.feature_stride, call_.d_input_weights, input_size_,
                    task / halves * width, width, units, 0, depth);
      } else {
        add_columns(chunk_.previous + group, 1, call_.d_recurrent_weights, hidden_size_,
                    (task - input_tasks) / halves * width, width, units, apart_ * hidden_size_, depth);
      }
    });
  }

  // The row of a gradient that a delta belongs to: those of the gates apart come before the others, W_hh's behind them.
  std::int64_t gradient_row(std::int64_t delta) const {
    const std::int64_t apart = apart_ * hidden_size_;
    return delta < apart ? delta + (gates_ - apart_) * hidden_size_ : delta - apart;
  }

  // Columns of a weight gradient, up to `most` from the first on, for some of its deltas, which begin at `offset`.
  void add_columns(const T* const* factors, std::ptrdiff_t feature_stride, T* gradient, std::int64_t columns,
                   std::int64_t first, std::int64_t most, Units units, std::int64_t offset, std::int64_t depth) const {
    const std::int64_t width = smaller(most, columns - first);
    Layout layout;
    const auto place = layout.reserve<T>(Packed<T>::size(depth, width));
    layout.take(Slot::task);
    T* const packed = layout[place];
    for (std::int64_t k = 0; k < depth; ++k) {
      T* to = packed + k * kPanel<T>;
      for (std::int64_t begin = 0; begin < width; begin += kPanel<T>, to += depth * kPanel<T>) {
        const T* from = factors[k] + (first + begin) * feature_stride;
        if (width - begin >= kPanel<T> && feature_stride == 1) {
          __builtin_memcpy(to, from, sizeof(T) * kPanel<T>);
          continue;
        }
        for (std::int64_t c = 0; c < kPanel<T>; c += kLanes<T>) {
          const int lanes = static_cast<int>(smaller(kLanes<T>, larger(width - begin - c, 0)));
          store(to + c, load(from + c * feature_stride, feature_stride, lanes));
        }
      }
    }
    const std::int64_t begin = offset + units.begin, end = offset + units.end;
    const std::int64_t cut = larger(begin, smaller(apart_ * hidden_size_, end));
    const Units parts[] = {{begin, cut}, {cut, end}};  // either is of rows that lie behind one another
    for (const Units& part : parts) {
      T* const to_part = gradient + gradient_row(part.begin) * columns + first;
      const auto at = [&](std::ptrdiff_t unit, std::ptrdiff_t column) { return to_part + unit * columns + column; };
      const auto add = [&](std::ptrdiff_t unit, std::ptrdiff_t column, int lanes, Vector<T> sums) {
        T* const to = at(unit, column);
        store(to, lanes, (is_first_ ? Vector<T>{} : load(to, 1, lanes)) + sums);
      };
      multiply<T, kChain>(
          tiles_.units() + part.begin, kTileRows, part.end - part.begin, Packed<T>{packed, depth, width},
          asking(vector_by_vector(add), [&](std::ptrdiff_t unit, std::ptrdiff_t column)
                                            __attribute__((always_inline)) { ask_for_row(at(unit, column)); }));
    }
  }

  // PyTorch sums biases' gradients by halves, more exactly than chains do; with its error carried along, a sum of
  // up to 1024 rows is off by its last rounding.
  void add_biases(std::int64_t group, std::int64_t depth) const {
    for (int gate = 0; gate < gates_; ++gate) {
      const std::int64_t of_input = gate * hidden_size_, of_recurrent = (apart_ + gate) * hidden_size_;
      if (call_.d_bias) add_bias(of_input, call_.d_bias + gradient_row(of_input), group, depth);
      if (call_.d_recurrent_bias) {
        add_bias(of_recurrent, call_.d_recurrent_bias + gradient_row(of_recurrent), group, depth);
      }
    }
    for (std::int64_t input = 0; input < unit_inputs_; ++input) {
      T* const to = call_.d_unit_inputs[input];
      if (to) add_bias(deltas() + input * hidden_size_, to, group, depth);
    }
  }

  void add_bias(std::int64_t delta, T* to, std::int64_t group, std::int64_t depth) const {
    constexpr int kAtOnce = 4;  // vectors side by side, for each waits for its own sum
    std::int64_t column = 0;
    for (; column + kAtOnce * kLanes<T> <= hidden_size_; column += kAtOnce * kLanes<T>) {
      add_bias_at<kAtOnce>(delta, to, column, group, depth);
    }
    for (; column < hidden_size_; column += kLanes<T>) add_bias_at<1>(delta, to, column, group, depth);
  }

  template <int kVectors>
  void add_bias_at(std::int64_t first_delta, T* gradient, std::int64_t first, std::int64_t group,
                   std::int64_t depth) const {
    const int lanes = static_cast<int>(smaller(kLanes<T>, hidden_size_ - first));
    Vector<T> sum[kVectors] = {}, error[kVectors] = {};
    for (std::int64_t k = 0; k < depth; ++k) {
      for (int i = 0; i < kVectors; ++i) {
        const Vector<T> delta = load(chunk_.delta(group + k) + first_delta + first + i * kLanes<T>, 1, lanes);
        const Vector<T> next = sum[i] + delta;
        const Vector<T> added = next - sum[i];
        error[i] += (sum[i] - (next - added)) + (delta - added);
        sum[i] = next;
      }
    }
    for (int i = 0; i < kVectors; ++i) {
      error[i] = error[i] == error[i] ? error[i] : Vector<T>{};  // NaN, once the sum is infinite
      T* to = gradient + first + i * kLanes<T>;
      store(to, lanes, (is_first_ ? Vector<T>{} : load(to, 1, lanes)) + (sum[i] + error[i]));
    }
  }

  const Backward<T>& call_;
  std::int64_t gates_, apart_, unit_inputs_;
  DeltaChunk<T>& chunk_;
  const GroupTiles<T>& tiles_;
  std::int64_t input_size_;
  std::int64_t hidden_size_;
  std::int64_t consumed_ = 0;  // rows of the chunk that are in the sums
  bool is_first_ = true;       // the gradients hold nothing yet
};

}  // namespace
}  // namespace elman
