// Products over all rows at once, in tiles: W_ih x + b before the forward loop, and dx = W_ih^T d behind BPTT. The
// order of every sum is tile.h's, whatever the tile.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/step_product.h"

namespace elman {
namespace {

// to[row][column] = sum over k of a[row][k] b(k, column) + bias[column].
struct ProductArguments {
  std::int64_t rows, depth, columns;
  const float* a;  // rows a_width apart
  std::int64_t a_width;
  const float* b;  // b[k * b_k + column * b_column]
  std::int64_t b_k, b_column;
  std::int64_t turn;         // the first k of a stands at b's depth - turn, its k = turn at 0
  const float* bias;         // (columns); null counts as zeros
  const float* second_bias;  // is added to it, in the first `added` columns; null counts as zeros
  std::int64_t added, has_bias;
  float* to;  // rows to_width apart
  std::int64_t to_width;
  std::int64_t adds;  // to what is there
};

inline constexpr int kTileSide = 64, kTileThreads = 256, kTileOfThread = 4;

__device__ __forceinline__ void multiply_tiles(const ProductArguments& p) {
  constexpr int kWidth = kTileSide + 4;  // columns that are a power of two apart would fall on one bank
  float* const a_tile = shared_memory();
  float* const b_tile = a_tile + kSumBlock * kWidth;
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * kTileSide;
  const std::int64_t first_column = static_cast<std::int64_t>(blockIdx.y) * kTileSide;
  const int thread_row = threadIdx.x / 16 * kTileOfThread, thread_column = threadIdx.x % 16 * kTileOfThread;
  float total[kTileOfThread][kTileOfThread] = {};
  for (std::int64_t k0 = 0; k0 < p.depth; k0 += kSumBlock) {
    for (int i = threadIdx.x; i < kTileSide * kSumBlock; i += kTileThreads) {
      // neighbours in k, or in columns, wherever b has neighbours
      const int row = i / kSumBlock, k_of_a = i % kSumBlock;
      const int k_of_b = p.b_k == 1 ? k_of_a : i / kTileSide, column = p.b_k == 1 ? row : i % kTileSide;
      const bool has_a = first_row + row < p.rows && k0 + k_of_a < p.depth;
      a_tile[k_of_a * kWidth + row] = has_a ? p.a[(first_row + row) * p.a_width + k0 + k_of_a] : 0.0f;
      const bool has_b = first_column + column < p.columns && k0 + k_of_b < p.depth;
      const std::int64_t k = k0 + k_of_b < p.turn ? k0 + k_of_b + p.depth - p.turn : k0 + k_of_b - p.turn;
      b_tile[k_of_b * kWidth + column] = has_b ? p.b[k * p.b_k + (first_column + column) * p.b_column] : 0.0f;
    }
    __syncthreads();
    float sum[kTileOfThread][kTileOfThread] = {};
#pragma unroll
    for (int k = 0; k < kSumBlock; ++k) {
      const float4 a4 = *reinterpret_cast<const float4*>(a_tile + k * kWidth + thread_row);
      const float4 b4 = *reinterpret_cast<const float4*>(b_tile + k * kWidth + thread_column);
      const float a[] = {a4.x, a4.y, a4.z, a4.w}, b[] = {b4.x, b4.y, b4.z, b4.w};
#pragma unroll
      for (int i = 0; i < kTileOfThread; ++i) {
#pragma unroll
        for (int j = 0; j < kTileOfThread; ++j) sum[i][j] = __fmaf_rn(a[i], b[j], sum[i][j]);
      }
    }
#pragma unroll
    for (int i = 0; i < kTileOfThread; ++i) {
#pragma unroll
      for (int j = 0; j < kTileOfThread; ++j) total[i][j] += sum[i][j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int j = 0; j < kTileOfThread; ++j) {
    const std::int64_t column = first_column + thread_column + j;
    if (column >= p.columns) break;
    float bias = p.bias ? p.bias[column] : 0.0f;
    if (column < p.added) bias += p.second_bias ? p.second_bias[column] : 0.0f;
#pragma unroll
    for (int i = 0; i < kTileOfThread; ++i) {
      const std::int64_t row = first_row + thread_row + i;
      if (row >= p.rows) break;
      float* const to = p.to + row * p.to_width + column;
      *to = p.adds ? *to + total[i][j] : p.has_bias ? total[i][j] + bias : total[i][j];
    }
  }
}

}  // namespace
}  // namespace elman
