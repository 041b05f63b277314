// Where the rows of a sequence lie and in which order its steps are taken: recurrence/schedule.h for the GPU. All rows
// are behind one another, padded ones too.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace elman {
namespace {

struct DeviceSequence {
  std::int64_t steps, batch;
  const std::int64_t* offsets;  // (steps + 1): the rows before each step; null: padded
  std::int64_t reverse;

  __device__ __forceinline__ int step(int iteration) const {
    return static_cast<int>(reverse ? steps - 1 - iteration : iteration);
  }
  __device__ __forceinline__ std::int64_t before(int step) const { return offsets ? offsets[step] : step * batch; }

  // How many steps a row has: for a row past the batch none.
  __device__ __forceinline__ int length(std::int64_t row) const {
    if (row >= batch) return 0;
    if (!offsets) return static_cast<int>(steps);
    int least = 1, most = static_cast<int>(steps);
    while (least < most) {
      const int middle = (least + most + 1) / 2;
      if (offsets[middle] - offsets[middle - 1] > row) {
        least = middle;
      } else {
        most = middle - 1;
      }
    }
    return least;
  }
};

// The rows of a block of threads, and in which iterations each has a step. The threads of a block share out items, a
// unit of a row each.
template <int kRows>
class BlockRows {
 public:
  __device__ __forceinline__ BlockRows(const DeviceSequence& sequence, int units)
      : first(static_cast<std::int64_t>(blockIdx.x) * kRows), units_(units) {
#pragma unroll
    for (int row = 0; row < kRows; ++row) {
      const int length = sequence.length(first + row);
      begin_[row] = sequence.reverse ? static_cast<int>(sequence.steps) - length : 0;
      end_[row] = begin_[row] + length;
    }
  }

  // Of a row, that of the first: it is the longest.
  __device__ __forceinline__ int begin(int row = 0) const { return of(begin_, row); }
  __device__ __forceinline__ int end(int row = 0) const { return of(end_, row); }
  __device__ __forceinline__ bool has(int row, int iteration) const {
    return iteration >= begin(row) && iteration < end(row);
  }
  __device__ __forceinline__ bool is_there(int row) const { return end(row) > begin(row); }

  __device__ __forceinline__ int items() const { return kRows * units_; }
  __device__ __forceinline__ int row(int item) const { return kRows == 1 ? 0 : item / units_; }
  __device__ __forceinline__ int unit(int item) const { return kRows == 1 ? item : item % units_; }

  const std::int64_t first;

 private:
  // Registers have no addresses: an array is only kept there where no index is counted at run time.
  __device__ __forceinline__ static int of(const int (&rows)[kRows], int row) {
    int result = rows[0];
#pragma unroll
    for (int i = 1; i < kRows; ++i) result = row == i ? rows[i] : result;
    return result;
  }

  int units_, begin_[kRows], end_[kRows];
};

}  // namespace
}  // namespace elman
