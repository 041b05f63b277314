// Sums over the units of a row, of programs that have them. A step is cut into levels: what the sums of a level add up
// is computed of those of the levels before, unit by unit; then a thread adds up a row, in the interpreter's order.
#pragma once

#include "cuda/cells.h"
#include "cuda/sequence.h"

namespace elman {
namespace {

template <int kRows>
class RowSums {
 public:
  // In shared memory, of rows of so many units, room for the most terms of a level and behind it for all sums.
  __device__ __forceinline__ RowSums(float* memory, int most_terms, int units)
      : terms_(memory), sums_(memory + most_terms * kRows * units), units_(units) {}

  __device__ __forceinline__ float at(int sum, int row) const { return sums_[sum * kRows + row]; }

  // The sums of a level, kCount from the first on; terms_of(item, terms) computes a unit's.
  template <int kCount, class F>
  __device__ __forceinline__ void run(const BlockRows<kRows>& rows, int first, const F& terms_of) const {
    for (int item = threadIdx.x; item < rows.items(); item += blockDim.x) {
      Lane terms[kCount] = {};
      terms_of(item, terms);
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        terms_[(i * kRows + rows.row(item)) * units_ + rows.unit(item)] = terms[i].each[0];
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < kCount * kRows; i += blockDim.x) {
      sums_[first * kRows + i] = sum_of_row(terms_ + i * units_, 1, units_);
    }
    __syncthreads();
  }

 private:
  float *terms_, *sums_;  // (terms of a level, kRows, units), (sums, kRows)
  int units_;
};

}  // namespace
}  // namespace elman
