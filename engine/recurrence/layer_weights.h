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

template <class T>
std::int64_t packed_size(const Weights<T>& weights) {
  const std::int64_t units = weights.hidden_size;
  return on_lines<T>(Packed<T>::size(weights.input_size, units)) +
         on_lines<T>(Packed<T>::size(recurrent_depth(weights), units)) + on_lines<T>(units + kLanes<T>) +
         on_lines<T>(units);
}

// A matrix, and where its panels go. Without depth it may be null.
template <class T>
struct Unpacked {
  const T* matrix;
  std::int64_t k_stride, column_stride, depth, columns;
  T* to;

  std::int64_t panels() const { return depth > 0 ? elman::panels(columns, kPanel<T>) : 0; }

  void pack(std::int64_t panel) const {
    const std::int64_t first = panel * kPanel<T>;
    pack_panel(matrix + first * column_stride, k_stride, column_stride, depth, smaller(kPanel<T>, columns - first),
               to + first * depth);
  }
};

// Packs two matrices, their panels shared out among threads where they are large.
template <class T>
void pack_both(const Unpacked<T>& a, const Unpacked<T>& b, int threads) {
  const std::int64_t of_a = a.panels(), of_both = of_a + b.panels();
  parallel(of_both,
           useful_threads(threads, a.depth * a.columns + b.depth * b.columns, tuning::kPackedBytesOfThread / sizeof(T)),
           [&](std::int64_t panel) { panel < of_a ? a.pack(panel) : b.pack(panel - of_a); });
}

template <class T>
LayerWeights<T> pack_layer(const Weights<T>& weights, T* memory, int threads) {
  const std::int64_t inputs = weights.input_size, units = weights.hidden_size, depth = recurrent_depth(weights);
  T* input = memory;
  T* recurrent = input + on_lines<T>(Packed<T>::size(inputs, units));
  T* bias = recurrent + on_lines<T>(Packed<T>::size(depth, units));
  T* zeros = bias + on_lines<T>(units + kLanes<T>);

  pack_both<T>({weights.input, 1, inputs, inputs, units, input}, {weights.recurrent, 1, depth, depth, units, recurrent},
               threads);
  for (std::int64_t i = 0; i < units; ++i) {
    bias[i] = (weights.input_bias ? weights.input_bias[i] : T(0)) +
              (weights.recurrent_bias ? weights.recurrent_bias[i] : T(0));
    zeros[i] = 0;
  }
  for (std::int64_t i = units; i < units + kLanes<T>; ++i) bias[i] = 0;
  return {inputs, units, depth, input, recurrent, bias, zeros};
}

}  // namespace
}  // namespace elman
