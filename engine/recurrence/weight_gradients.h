// The sums over all steps and rows:
//
//     dW_ih = sum d_t x_t^T        dW_hh = sum d_t h_{t-1}^T        db = sum d_t
//
// in the order in which BPTT reaches the rows. The products are added in chains of 32, 32 chains to a group, the biases'
// terms in such groups too; groups are added in order. That keeps the error of long sums below PyTorch's, and neither
// chunks nor threads touch it.
#pragma once

#include "recurrence/schedule.h"
#include "tile/product.h"

namespace elman {
namespace {

inline constexpr int kChain = 32;
inline constexpr std::int64_t kGroupRows = 32 * kChain;

// A window onto d_t: one row for every step and row that BPTT has reached lately, in the order in which it did,
// and beside each where its x_t, h_{t-1} and dx_t lie.
template <class T>
struct DeltaChunk {
  struct Places {
    Layout::Place<T> deltas;
    Layout::Place<std::int64_t> positions;
    Layout::Place<const T*> inputs, previous;
    Layout::Place<T*> d_inputs;
  };

  static Places reserve(Layout& layout, std::int64_t capacity, std::int64_t hidden_size) {
    return {layout.reserve<T>(capacity * distance(hidden_size)), layout.reserve<std::int64_t>(capacity + 1),
            layout.reserve<const T*>(capacity), layout.reserve<const T*>(capacity), layout.reserve<T*>(capacity)};
  }

  DeltaChunk() = default;
  DeltaChunk(const Layout& layout, const Places& places, std::int64_t room, std::int64_t hidden_size)
      : inputs(layout[places.inputs]),
        previous(layout[places.previous]),
        d_inputs(layout[places.d_inputs]),
        row_distance(distance(hidden_size)),
        deltas_(layout[places.deltas]),
        positions_(layout[places.positions]),
        capacity_(room) {}

  T* delta(std::int64_t position) const { return deltas_ + position * row_distance; }

  // Where the rows of the step taken `order`-th begin.
  std::int64_t position(std::int64_t order) const { return positions_[order - begin_]; }

  // Makes room for as many steps before `end` as there is; returns the first of them.
  std::int64_t take_steps(const Schedule& schedule, std::int64_t end) {
    fresh = filled;
    std::int64_t begin = end;
    std::int64_t needed = filled;
    while (begin > 0 && needed + schedule.rows_in_order(begin - 1) <= capacity_) {
      needed += schedule.rows_in_order(--begin);
    }
    // positions_ holds the steps begin to end, the last of them being the one that the chunk before ended with
    begin_ = begin;
    positions_[end - begin] = last_position_;
    for (std::int64_t order = end - 1; order >= begin; --order) {
      positions_[order - begin] = filled;
      filled += schedule.rows_in_order(order);
    }
    last_position_ = positions_[0];
    return begin;
  }

  // Forgets the rows before `consumed`, all but the step that the next one builds on, and moves the rest to the
  // front. Returns how far.
  std::int64_t forget(std::int64_t consumed) {
    const std::int64_t from = smaller(consumed, last_position_);
    const auto move = [&](auto* array, std::int64_t width) {
      __builtin_memmove(array, array + from * width, sizeof(*array) * static_cast<std::size_t>((filled - from) * width));
    };
    move(deltas_, row_distance);
    move(inputs, 1);
    move(previous, 1);
    move(d_inputs, 1);
    filled -= from;
    last_position_ -= from;
    return from;
  }

  const T** inputs = nullptr;
  const T** previous = nullptr;
  T** d_inputs = nullptr;
  std::int64_t row_distance = 0;
  std::int64_t fresh = 0;   // rows before this one are from earlier chunks
  std::int64_t filled = 0;

 private:
  // Rows that are a power of two apart would fall on the same few lines of the cache.
  static std::int64_t distance(std::int64_t hidden_size) { return (hidden_size + 15) / 16 * 16 + 16; }

  T* deltas_ = nullptr;
  std::int64_t* positions_ = nullptr;
  std::int64_t capacity_ = 0;
  std::int64_t begin_ = 0;
  std::int64_t last_position_ = 0;
};

// Adds to gradients that are zero when it begins.
template <class T>
class WeightGradients {
 public:
  WeightGradients(const Backward<T>& call, DeltaChunk<T>& chunk)
      : call_(call), chunk_(chunk), input_size_(call.weights.input_size), hidden_size_(call.weights.hidden_size) {}

  // dx of the chunk's fresh rows, and all groups of rows that are complete (on the last chunk, the rest too).
  void add_chunk(const Packed<T>& input_weights, bool last, int threads) {
    const std::int64_t complete = (chunk_.filled - consumed_) / kGroupRows * kGroupRows;
    const std::int64_t end = last ? chunk_.filled : consumed_ + complete;
    const std::int64_t blocks = call_.d_input.data ? panels(chunk_.filled - chunk_.fresh, kInputRows) : 0;
    const bool sums = end > consumed_;
    const std::int64_t input_panels = sums && call_.d_input_weights ? panels(input_size_, kPanel<T>) : 0;
    const std::int64_t recurrent_panels = sums && call_.d_recurrent_weights ? panels(hidden_size_, kPanel<T>) : 0;
    const std::int64_t bias = sums && call_.d_bias ? 1 : 0;
    parallel(blocks + input_panels + recurrent_panels + bias, threads, [&](std::int64_t task) {
      if (task < blocks) return differentiate_inputs(input_weights, chunk_.fresh + task * kInputRows);
      task -= blocks;
      if (task < input_panels) {
        return add_panel(chunk_.inputs, call_.input.feature_stride, call_.d_input_weights, input_size_, task, end);
      }
      task -= input_panels;
      if (task < recurrent_panels) {
        return add_panel(chunk_.previous, 1, call_.d_recurrent_weights, hidden_size_, task, end);
      }
      add_bias(end);
    });
    consumed_ = end - chunk_.forget(end);
  }

 private:
  static constexpr std::int64_t kInputRows = 96;

  // dx = W_ih^T d
  void differentiate_inputs(const Packed<T>& weights, std::int64_t first) const {
    const T* from[kInputRows];
    const std::int64_t rows = smaller(kInputRows, chunk_.filled - first);
    for (std::int64_t row = 0; row < rows; ++row) from[row] = chunk_.delta(first + row);
    multiply<T, kBlock>(from, 1, rows, weights,
                        [&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          T* to = chunk_.d_inputs[first + row] + column;
                          store(to, lanes, call_.add_to_d_input ? load(to, 1, lanes) + sums : sums);
                        });
  }

  // One panel of columns of a weight gradient. d^T is read by its strides, the other factor is packed.
  void add_panel(const T* const* factors, std::ptrdiff_t feature_stride, T* gradient, std::int64_t columns,
                 std::int64_t panel, std::int64_t end) const {
    const std::int64_t first = panel * kPanel<T>;
    const std::int64_t width = smaller(kPanel<T>, columns - first);
    Layout layout;
    const auto packed = layout.reserve<T>(kGroupRows * kPanel<T>);
    const auto rows = layout.reserve<const T*>(hidden_size_);
    layout.take(Slot::task);

    for (std::int64_t at = consumed_; at < end; at += kGroupRows) {
      const std::int64_t depth = smaller(kGroupRows, end - at);
      for (std::int64_t k = 0; k < depth; ++k) {
        const T* from = factors[at + k] + first * feature_stride;
        T* to = layout[packed] + k * kPanel<T>;
        if (width == kPanel<T> && feature_stride == 1) {
          __builtin_memcpy(to, from, sizeof(T) * kPanel<T>);
          continue;
        }
        for (std::int64_t c = 0; c < kPanel<T>; ++c) to[c] = c < width ? from[c * feature_stride] : T(0);
      }
      for (std::int64_t unit = 0; unit < hidden_size_; ++unit) layout[rows][unit] = chunk_.delta(at) + unit;
      multiply<T, kChain>(layout[rows], chunk_.row_distance, hidden_size_, Packed<T>{layout[packed], depth, width},
                          [&](std::ptrdiff_t unit, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                            T* to = gradient + unit * columns + first + column;
                            store(to, lanes, load(to, 1, lanes) + sums);
                          });
    }
  }

  // PyTorch sums biases' gradients by halves, more exactly than chains do; with its error carried along, a sum of
  // up to 1024 rows is off by its last rounding.
  void add_bias(std::int64_t end) const {
    for (std::int64_t column = 0; column < hidden_size_; column += kLanes<T>) {
      const int lanes = static_cast<int>(smaller(kLanes<T>, hidden_size_ - column));
      for (std::int64_t at = consumed_; at < end; at += kGroupRows) {
        Vector<T> sum{}, error{};
        for (std::int64_t row = at; row < smaller(at + kGroupRows, end); ++row) {
          const Vector<T> delta = load(chunk_.delta(row) + column, 1, lanes);
          const Vector<T> next = sum + delta;
          const Vector<T> added = next - sum;
          error += (sum - (next - added)) + (delta - added);
          sum = next;
        }
        error = error == error ? error : Vector<T>{};  // NaN, once the sum is infinite
        store(call_.d_bias + column, lanes, load(call_.d_bias + column, 1, lanes) + (sum + error));
      }
    }
  }

  const Backward<T>& call_;
  DeltaChunk<T>& chunk_;
  std::int64_t input_size_;
  std::int64_t hidden_size_;
  std::int64_t consumed_ = 0;  // rows of the chunk that are in the sums
};

}  // namespace
}  // namespace elman
