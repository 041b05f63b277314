// Packing a layer's weights for the recurrence: for the forward pass their transposes, for BPTT themselves.
#pragma once

#include "dispatch/level.h"
#include "recurrence/schedule.h"
#include "tile/product.h"

namespace elman {
namespace {

// Elements of an array that the next one follows on a cache line of its own.
template <class T>
std::int64_t on_lines(std::int64_t elements) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  return (elements + kLine - 1) / kLine * kLine;
}

template <class T>
std::int64_t recurrent_depth(const Weights<T>& weights) {
  return weights.recurrent ? weights.hidden_size : 0;
}

// Weights whose gates lie side by side are packed as so many of `units` columns, others behind one another: in W_hh the
// gates apart begin a panel of their own.
template <class T>
struct PackedSizes {
  PackedSizes(const Weights<T>& weights, const CellSizes& cell)
      : gates(cell.side_by_side ? cell.gates : 1),
        of_input(weights.hidden_size * (cell.gates / gates)),
        apart(cell.side_by_side ? 0 : weights.hidden_size * cell.apart),
        of_recurrent(of_input - apart),
        input(on_lines<T>(Packed<T>::size(weights.input_size, of_input, gates))),
        recurrent(on_lines<T>(Packed<T>::size(recurrent_depth(weights), of_recurrent, gates))),
        recurrent_apart(on_lines<T>(Packed<T>::size(recurrent_depth(weights), apart))) {}

  int gates;
  std::int64_t of_input, apart, of_recurrent;      // columns of each
  std::int64_t input, recurrent, recurrent_apart;  // elements
};

template <class T>
std::int64_t packed_size(const Weights<T>& weights, const CellSizes& cell) {
  const std::int64_t units = weights.hidden_size;
  const PackedSizes<T> packed(weights, cell);
  return packed.input + packed.recurrent + packed.recurrent_apart + on_lines<T>(cell.gates * units + kLanes<T>) +
         on_lines<T>(cell.apart * units + kLanes<T>) + on_lines<T>(units);
}

// A matrix, and where its panels go. Without depth it may be null.
template <class T>
struct Unpacked {
  const T* matrix = nullptr;
  std::int64_t k_stride = 0, column_stride = 0, depth = 0, columns = 0;
  T* to = nullptr;
  int gates = 1;             // which are `columns` columns apart
  std::int64_t first_k = 0;  // what comes before it is packed last

  std::int64_t panels() const { return depth > 0 ? elman::panels(columns, kPanel<T>) * gates : 0; }

  void pack(std::int64_t panel) const {
    const std::int64_t first = panel / gates * kPanel<T>;
    const std::int64_t width = smaller(kPanel<T>, columns - first);
    const T* from = matrix + (panel % gates * columns + first) * column_stride;
    T* const into = to + panel * kPanel<T> * depth;
    pack_panel(from + first_k * k_stride, k_stride, column_stride, depth - first_k, width, into);
    pack_panel(from, k_stride, column_stride, first_k, width, into + (depth - first_k) * kPanel<T>);
  }
};

// Packs two matrices, their panels shared out among threads where they are large.
template <class T>
void pack_both(const Unpacked<T>& a, const Unpacked<T>& b, int threads) {
  const std::int64_t of_a = a.panels(), of_both = of_a + b.panels();
  parallel(of_both,
           useful_threads(threads, a.depth * a.columns * a.gates + b.depth * b.columns * b.gates,
                          tuning::kPackedBytesOfThread / sizeof(T)),
           [&](std::int64_t panel) { panel < of_a ? a.pack(panel) : b.pack(panel - of_a); });
}

// Whether each panel is read once, by a single thread: then it is made at that time, and is still in the first-level
// cache.
template <class T>
bool reads_once(const Sequence& sequence, const PackedSizes<T>& packed) {
  const auto bytes = sizeof(T) * static_cast<std::size_t>(packed.input + packed.recurrent + packed.recurrent_apart);
  return sequence.steps == 1 && sequence.batch <= tuning::kFewRows && bytes <= tuning::kPackedBytesOfThread;
}

template <class T>
LayerWeights<T> pack_layer(const Weights<T>& weights, const CellSizes& cell, T* memory, int threads,
                           const Sequence* sequence) {
  const std::int64_t inputs = weights.input_size, units = weights.hidden_size, depth = recurrent_depth(weights);
  const PackedSizes<T> packed(weights, cell);
  T* input = memory;
  T* recurrent = input + packed.input;
  T* recurrent_apart = recurrent + packed.recurrent;
  T* bias = recurrent_apart + packed.recurrent_apart;
  T* recurrent_bias = bias + on_lines<T>(cell.gates * units + kLanes<T>);
  T* zeros = recurrent_bias + on_lines<T>(cell.apart * units + kLanes<T>);

  const bool in_passing = sequence && reads_once(*sequence, packed);
  const T* const rows_apart = packed.apart > 0 ? weights.recurrent + packed.of_recurrent * depth : nullptr;
  if (!in_passing) {
    pack_both<T>({weights.input, 1, inputs, inputs, packed.of_input, input, packed.gates},
                 {weights.recurrent, 1, depth, depth, packed.of_recurrent, recurrent, packed.gates}, threads);
    if (rows_apart) pack_both<T>({rows_apart, 1, depth, depth, packed.apart, recurrent_apart}, {}, threads);
  }
  const std::int64_t rows = cell.gates * units, added = rows - cell.apart * units;
  for (std::int64_t i = 0; i < rows; ++i) {
    const T of_input = weights.input_bias ? weights.input_bias[i] : T(0);
    const T of_recurrent = weights.recurrent_bias ? weights.recurrent_bias[i] : T(0);
    bias[i] = i < added ? of_input + of_recurrent : of_input;
    if (i >= added) recurrent_bias[i - added] = of_recurrent;
  }
  for (std::int64_t i = 0; i < units; ++i) zeros[i] = 0;
  for (std::int64_t i = 0; i < kLanes<T>; ++i) bias[rows + i] = recurrent_bias[rows - added + i] = 0;
  LayerWeights<T> all{inputs, units, depth, input, recurrent, recurrent_apart, bias, recurrent_bias, zeros};
  if (in_passing) {
    all.input_rows = weights.input;
    all.recurrent_rows = weights.recurrent;
    all.recurrent_apart_rows = rows_apart;
    all.room = memory;
  }
  return all;
}

}  // namespace
}  // namespace elman
