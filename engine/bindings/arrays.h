// What the bindings of networks and streams share: NumPy arrays, and what a call costs.
#pragma once

#include <nanobind/ndarray.h>

#include <atomic>
#include <cstdint>
#include <optional>

#include "bindings/sizes.h"
#include "elman/network.h"

// Of networks and streams.
inline std::atomic<int> threads{1};

template <class T>
double multiplications(const elman::Network<T>& network, std::int64_t steps, std::int64_t rows) {
  double of_row = 0;
  std::int64_t reads = network.input_size();
  for (int layer = 0; layer < network.layers(); ++layer) {
    const std::int64_t units = network.hidden_size(layer);
    of_row += static_cast<double>(units) * static_cast<double>(reads + units);
    reads = network.directions() * units;
  }
  const int matrices = network.directions() * network.gates();
  return static_cast<double>(matrices) * of_row * static_cast<double>(steps) * static_cast<double>(rows);
}

template <class T>
using Array = nb::ndarray<T, nb::device::cpu>;

template <class T>
bool is_contiguous(const Array<T>& array) {
  std::int64_t expected = 1;
  for (std::size_t i = array.ndim(); i-- > 0; expected *= length(array.shape(i))) {
    if (array.shape(i) != 1 && array.stride(i) != expected) return false;
  }
  return true;
}

template <class T>
const T* contiguous(const std::optional<Array<const T>>& array, std::int64_t size, const char* message) {
  if (!array) return nullptr;
  require(length(array->size()) == size && is_contiguous(*array), message);
  return array->data();
}

// What results are made with: fetched while the module is made, for an import at the first call would give up the GIL
// there. Never freed: threads may outlive the module.
struct NumPy {
  nb::object ndarray, empty, float32, float64;
  template <class T>
  const nb::object& dtype() const {
    return sizeof(T) == 4 ? float32 : float64;
  }
};
inline const NumPy* numpy = nullptr;
