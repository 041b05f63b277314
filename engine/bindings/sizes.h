// Sizes of NumPy arrays.
#pragma once

#include <nanobind/ndarray.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace nb = nanobind;

using BatchSizes = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

inline std::int64_t length(std::size_t size) { return static_cast<std::int64_t>(size); }

inline void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

// Of `rows`, those that the steps of a packed batch leave; below 0 where they have more. No sum of sizes that are not
// sizes can wrap around.
inline std::int64_t rows_left(const std::vector<std::int64_t>& batch_sizes, std::int64_t rows) {
  for (const std::int64_t size : batch_sizes) {
    if (size < 0 || size > rows) return -1;
    rows -= size;
  }
  return rows;
}

// The rows of each step, which come to `rows` in all, copied: another thread may write to the array once they are
// checked.
inline std::vector<std::int64_t> checked_copy(const std::int64_t* batch_sizes, std::int64_t steps, std::int64_t rows) {
  std::vector<std::int64_t> copy(batch_sizes, batch_sizes + steps);
  require(rows_left(copy, rows) == 0, "batch_sizes: expected a sum of as many as there are rows");
  return copy;
}

inline std::vector<std::int64_t> checked_copy(const BatchSizes& batch_sizes, std::int64_t rows) {
  return checked_copy(batch_sizes.data(), length(batch_sizes.shape(0)), rows);
}
