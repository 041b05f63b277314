// Packing a layer's weights for the recurrence.
#pragma once

#include "dispatch/level.h"
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

template <class T>
LayerWeights<T> pack_layer(const Weights<T>& weights, T* memory) {
  const std::int64_t inputs = weights.input_size, units = weights.hidden_size, depth = recurrent_depth(weights);
  T* input = memory;
  T* recurrent = input + on_lines<T>(Packed<T>::size(inputs, units));
  T* bias = recurrent + on_lines<T>(Packed<T>::size(depth, units));
  T* zeros = bias + on_lines<T>(units + kLanes<T>);

  pack(weights.input, 1, inputs, inputs, units, input);
  pack(weights.recurrent, 1, depth, depth, units, recurrent);
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
