// The product of a step: the rows' states, or deltas, with the recurrent weights. These are read once and stay with the
// block for all steps as far as there is room, in registers first, then in shared memory; the rest is read at each
// step.
//
// The order of every sum is tile.h's: blocks of 16, each a chain of fused multiply-adds from zero, added in order. A
// column's blocks may be shared out among threads. Rows are padded with zeros up to whole blocks, which adds zeros to
// sums that begin with +0, and so changes none.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace elman {
namespace {

inline constexpr int kSumBlock = 16;

// The element at (k, column) is matrix[k * k_stride + column * column_stride].
struct StepWeights {
  const float* matrix;
  std::int64_t k_stride, column_stride, depth, columns;
  std::int64_t parts, blocks;  // threads that share a column, blocks of each
  std::int64_t shared_blocks;  // of each thread, in shared memory
};

// How a block lays out its shared memory: two of the rows' states or deltas, of which one is read and one written, and
// room for reading past them; the sums; what else of a step is carried to the next; the weights.
struct StepMemory {
  int padded;  // floats of a row: zeros follow those that there are
  int sums_of_column;
  float *rows, *sums, *carried, *weights;

  __device__ __forceinline__ StepMemory(const StepWeights& w, int count, int held, int floats_carried)
      : padded(static_cast<int>(w.parts * w.blocks) * kSumBlock),
        sums_of_column(w.parts == 1 ? 1 : static_cast<int>(w.parts * w.blocks)),
        rows(shared_memory()),
        sums(rows + 2 * count * padded + held * kSumBlock),
        carried(sums + count * sums_of_column * static_cast<int>(w.columns)),
        weights(rows + (carried + floats_carried - rows + 3) / 4 * 4) {}
};

template <int kRows, int kHeld>
class StepProduct {
 public:
  __device__ __forceinline__ StepProduct(const StepWeights& weights, const StepMemory& memory)
      : weights_(weights),
        memory_(memory),
        shared_(reinterpret_cast<float4*>(memory.weights)),
        columns_(static_cast<int>(weights.columns)),
        blocks_(static_cast<int>(weights.blocks)),
        slots_(static_cast<int>(weights.columns * weights.parts)) {
    const int slot = threadIdx.x;
    if (slot >= slots_) return;
#pragma unroll
    for (int i = 0; i < kHeld * kSumBlock; ++i) held_[i] = at(slot, i);
    for (int i = 0; i < 4 * static_cast<int>(weights.shared_blocks); ++i) {
      const int k = kHeld * kSumBlock + 4 * i;
      shared_[i * blockDim.x + slot] = {at(slot, k), at(slot, k + 1), at(slot, k + 2), at(slot, k + 3)};
    }
  }

  __device__ __forceinline__ float total(int row, int column) const {
    const float* from = memory_.sums + row * memory_.sums_of_column * columns_ + column;
    float total = 0;
#pragma unroll 4
    for (int i = 0; i < memory_.sums_of_column; ++i) total += from[i * columns_];
    return total;
  }

  // The sums (kRows, sums_of_column, columns) of what the rows are now.
  __device__ __forceinline__ void run(const float* rows) const {
    if (static_cast<int>(threadIdx.x) >= slots_) return;
    run_first(rows);
    for (int slot = threadIdx.x + blockDim.x; slot < slots_; slot += blockDim.x) {
      Sums sums(*this, slot);
      for (int i = 0; i < blocks_; ++i) add_from_memory(slot, i, rows, sums);
      sums.finish();
    }
  }

 private:
  // Where a slot's sums go: one part adds them up, several leave that to total().
  struct Sums {
    float total[kRows] = {};
    float* to;
    int distance, columns;
    bool adds;

    __device__ __forceinline__ Sums(const StepProduct& product, int slot)
        : to(product.memory_.sums + slot % product.columns_ +
             slot / product.columns_ * product.blocks_ * product.columns_),
          distance(product.memory_.sums_of_column * product.columns_),
          columns(product.columns_),
          adds(product.weights_.parts == 1) {}

    __device__ __forceinline__ void put(int block, int row, float sum) {
      if (adds) {
        total[row] += sum;
      } else {
        to[row * distance + block * columns] = sum;
      }
    }

    __device__ __forceinline__ void finish() {
      if (!adds) return;
#pragma unroll
      for (int row = 0; row < kRows; ++row) to[row * distance] = total[row];
    }
  };

  // The k-th weight of a slot's own, 0 past the end.
  __device__ __forceinline__ float at(int slot, int k) const {
    const std::int64_t of_all = static_cast<std::int64_t>(slot / columns_) * blocks_ * kSumBlock + k;
    if (k >= blocks_ * kSumBlock || of_all >= weights_.depth) return 0;
    return weights_.matrix[of_all * weights_.k_stride + slot % columns_ * weights_.column_stride];
  }

  __device__ __forceinline__ static void add(float& sum, const float4& x, const float4& w) {
    sum = __fmaf_rn(x.x, w.x, sum);
    sum = __fmaf_rn(x.y, w.y, sum);
    sum = __fmaf_rn(x.z, w.z, sum);
    sum = __fmaf_rn(x.w, w.w, sum);
  }

  // Four of a row, of a slot's block.
  __device__ __forceinline__ const float4& four(const float* rows, int slot, int row, int block, int i) const {
    const int at = row * memory_.padded + (slot / columns_ * blocks_ + block) * kSumBlock + 4 * i;
    return *reinterpret_cast<const float4*>(rows + at);
  }

  __device__ __forceinline__ void run_first(const float* rows) const {
    const int slot = threadIdx.x;
    float block[kHeld][kRows] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int b = 0; b < kHeld; ++b) {
        const float* w = held_ + b * kSumBlock + 4 * i;
#pragma unroll
        for (int row = 0; row < kRows; ++row) {
          add(block[b][row], four(rows, slot, row, b, i), {w[0], w[1], w[2], w[3]});
        }
      }
    }
    Sums sums(*this, slot);
#pragma unroll
    for (int b = 0; b < kHeld; ++b) {
      if (b >= blocks_) break;
#pragma unroll
      for (int row = 0; row < kRows; ++row) sums.put(b, row, block[b][row]);
    }
    const int in_shared = kHeld + static_cast<int>(weights_.shared_blocks);
#pragma unroll 2
    for (int b = kHeld; b < in_shared; ++b) {
      float sum[kRows] = {};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float4 w = shared_[((b - kHeld) * 4 + i) * blockDim.x + slot];
#pragma unroll
        for (int row = 0; row < kRows; ++row) add(sum[row], four(rows, slot, row, b, i), w);
      }
#pragma unroll
      for (int row = 0; row < kRows; ++row) sums.put(b, row, sum[row]);
    }
#pragma unroll 2
    for (int b = in_shared; b < blocks_; ++b) add_from_memory(slot, b, rows, sums);
    sums.finish();
  }

  __device__ __forceinline__ void add_from_memory(int slot, int block, const float* rows, Sums& sums) const {
    float w[kSumBlock], sum[kRows] = {};
#pragma unroll
    for (int k = 0; k < kSumBlock; ++k) w[k] = at(slot, block * kSumBlock + k);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) {
        add(sum[row], four(rows, slot, row, block, i), {w[4 * i], w[4 * i + 1], w[4 * i + 2], w[4 * i + 3]});
      }
    }
#pragma unroll
    for (int row = 0; row < kRows; ++row) sums.put(block, row, sum[row]);
  }

  const StepWeights& weights_;
  const StepMemory memory_;
  float4* shared_;
  int columns_, blocks_, slots_;
  float held_[kHeld * kSumBlock];
};

}  // namespace
}  // namespace elman
