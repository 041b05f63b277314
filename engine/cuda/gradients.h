// The sums over all steps and rows, in the order of recurrence/weight_gradients.h:
//
//     dW_ih = sum d_t x_t^T        dW_hh = sum d_t h_{t-1}^T        db = sum d_t
//
// Products are added in chains of 32, 32 chains to a group of 1024 rows, biases' terms with their rounding error in
// such groups; groups are added in order. A block of threads takes a tile of one gradient, of one group or of all.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace elman {
namespace {

struct GradientArguments {
  std::int64_t rows, units, gates, apart, features, unit_inputs;
  const float* deltas;           // rows of (gates + apart + unit_inputs) * units
  const std::int32_t* order;     // (rows), as BPTT left them
  const std::int32_t* previous;  // (rows)
  const float* input;            // rows of `features`
  const float* output;           // rows of what is fed back, output_width apart
  std::int64_t output_width;
  const float* h_0;  // null counts as zeros
  // Where the gradients go, null where they are not wanted; those of groups `group_size` elements apart.
  float *d_input_weights, *d_recurrent_weights, *d_bias, *d_recurrent_bias, *d_unit_inputs;
  std::int64_t group_size, groups_at_once;
};

inline constexpr int kChainRows = 32, kChainsAtOnce = 4, kRowsAtOnce = kChainRows * kChainsAtOnce;
inline constexpr int kGroupOfRows = 32 * kChainRows;
inline constexpr int kGradientTile = 32, kGradientThreads = 256;

__device__ __forceinline__ std::int64_t tiles_of(std::int64_t size, int tile) { return (size + tile - 1) / tile; }

__device__ __forceinline__ std::int64_t delta_width(const GradientArguments& g) {
  return (g.gates + g.apart + g.unit_inputs) * g.units;
}

// The row of a gradient that a delta belongs to: see weight_gradients.h.
__device__ __forceinline__ std::int64_t gradient_row(const GradientArguments& g, std::int64_t delta) {
  const std::int64_t apart = g.apart * g.units;
  return delta < apart ? delta + (g.gates - g.apart) * g.units : delta - apart;
}

// A tile of dW_ih or dW_hh, each delta of which is `offset` before it among those of a row.
class GradientTile {
 public:
  __device__ __forceinline__ GradientTile(const GradientArguments& g, bool of_input, std::int64_t tile)
      : g_(g),
        of_input_(of_input),
        columns_(of_input ? g.features : g.units),
        first_delta_(tile / tiles_of(columns_, kGradientTile) * kGradientTile),
        first_column_(tile % tiles_of(columns_, kGradientTile) * kGradientTile),
        offset_(of_input ? 0 : g.apart * g.units),
        deltas_(shared_memory()),
        factors_(deltas_ + kRowsAtOnce * kWidth),
        chains_(factors_ + kRowsAtOnce * kWidth) {}

  __device__ __forceinline__ void run(std::int64_t first_group, std::int64_t groups, float* to) {
    float gradient[kOfThread] = {};
    for (std::int64_t group = first_group; group < first_group + groups; ++group) {
      const std::int64_t begin = group * kGroupOfRows;
      const std::int64_t end = begin + kGroupOfRows < g_.rows ? begin + kGroupOfRows : g_.rows;
      float total[kOfThread] = {};
      for (std::int64_t row = begin; row < end; row += kRowsAtOnce) {
        load(row, end);
        __syncthreads();
        run_chain();
        __syncthreads();
#pragma unroll
        for (int i = 0; i < kOfThread; ++i) {
          const int element = threadIdx.x + i * kGradientThreads;
#pragma unroll
          for (int chain = 0; chain < kChainsAtOnce; ++chain) {
            total[i] += chains_[(chain * kGradientTile + element / kGradientTile) * kWidth + element % kGradientTile];
          }
        }
      }
#pragma unroll
      for (int i = 0; i < kOfThread; ++i) gradient[i] += total[i];
    }
#pragma unroll
    for (int i = 0; i < kOfThread; ++i) {
      const int element = threadIdx.x + i * kGradientThreads;
      const std::int64_t delta = first_delta_ + element / kGradientTile,
                         column = first_column_ + element % kGradientTile;
      if (delta >= g_.gates * g_.units || column >= columns_) continue;
      to[gradient_row(g_, delta + offset_) * columns_ + column] = gradient[i];
    }
  }

 private:
  static constexpr int kWidth = kGradientTile + 4, kOfThread = kGradientTile * kGradientTile / kGradientThreads;
  static constexpr int kSide = 4;  // of what a thread takes of its chain

  // The deltas and factors of kRowsAtOnce rows; zeros past the end.
  __device__ __forceinline__ void load(std::int64_t first, std::int64_t end) {
    for (int i = threadIdx.x; i < kRowsAtOnce * kGradientTile; i += kGradientThreads) {
      const int row = i / kGradientTile, at = i % kGradientTile;
      float delta = 0, factor = 0;
      if (first + row < end) {
        const std::int64_t place = g_.order[first + row];
        if (first_delta_ + at < g_.gates * g_.units) {
          delta = g_.deltas[place * delta_width(g_) + offset_ + first_delta_ + at];
        }
        if (first_column_ + at < columns_) factor = factor_of(first + row, place, first_column_ + at);
      }
      deltas_[row * kWidth + at] = delta;
      factors_[row * kWidth + at] = factor;
    }
  }

  // x_t or h_{t-1} of a row.
  __device__ __forceinline__ float factor_of(std::int64_t row, std::int64_t place, std::int64_t column) const {
    if (of_input_) return g_.input[place * g_.features + column];
    const std::int64_t previous = g_.previous[row];
    if (previous >= 0) return g_.output[previous * g_.output_width + column];
    return g_.h_0 ? g_.h_0[(-1 - previous) * g_.units + column] : 0.0f;
  }

  // A quarter of the threads has a chain each.
  __device__ __forceinline__ void run_chain() {
    constexpr int kThreads = kGradientThreads / kChainsAtOnce;
    const int chain = threadIdx.x / kThreads, thread = threadIdx.x % kThreads;
    const int row = thread / (kGradientTile / kSide) * kSide, column = thread % (kGradientTile / kSide) * kSide;
    const float* d = deltas_ + chain * kChainRows * kWidth + row;
    const float* x = factors_ + chain * kChainRows * kWidth + column;
    float sum[kSide][kSide] = {};
#pragma unroll 8
    for (int k = 0; k < kChainRows; ++k) {
      const float4 d4 = *reinterpret_cast<const float4*>(d + k * kWidth);
      const float4 x4 = *reinterpret_cast<const float4*>(x + k * kWidth);
      const float of_d[] = {d4.x, d4.y, d4.z, d4.w}, of_x[] = {x4.x, x4.y, x4.z, x4.w};
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
#pragma unroll
        for (int j = 0; j < kSide; ++j) sum[i][j] = __fmaf_rn(of_d[i], of_x[j], sum[i][j]);
      }
    }
    float* const to = chains_ + (chain * kGradientTile + row) * kWidth + column;
#pragma unroll
    for (int i = 0; i < kSide; ++i) {
#pragma unroll
      for (int j = 0; j < kSide; ++j) to[i * kWidth + j] = sum[i][j];
    }
  }

  const GradientArguments& g_;
  bool of_input_;
  std::int64_t columns_, first_delta_, first_column_, offset_;
  float *deltas_, *factors_, *chains_;
};

// A delta's sum, of which both biases may have the gradient; those of inputs by unit lie behind all others.
__device__ __forceinline__ void add_bias(const GradientArguments& g, std::int64_t delta, std::int64_t first_group,
                                         std::int64_t groups, std::int64_t to) {
  const std::int64_t width = delta_width(g), of_gates = (g.gates + g.apart) * g.units;
  if (delta >= width) return;
  float gradient = 0;
  for (std::int64_t group = first_group; group < first_group + groups; ++group) {
    const std::int64_t begin = group * kGroupOfRows;
    const std::int64_t end = begin + kGroupOfRows < g.rows ? begin + kGroupOfRows : g.rows;
    float sum = 0, error = 0;
#pragma unroll 8
    for (std::int64_t row = begin; row < end; ++row) {
      const float term = g.deltas[g.order[row] * width + delta];
      const float next = sum + term;
      const float added = next - sum;
      error += (sum - (next - added)) + (term - added);
      sum = next;
    }
    gradient += sum + (error == error ? error : 0.0f);  // NaN, once the sum is infinite
  }
  if (delta >= of_gates) {
    if (g.d_unit_inputs) g.d_unit_inputs[to + delta - of_gates] = gradient;
    return;
  }
  const std::int64_t row = gradient_row(g, delta);
  if (g.d_bias && delta < g.gates * g.units) g.d_bias[to + row] = gradient;
  if (g.d_recurrent_bias && delta >= g.apart * g.units) g.d_recurrent_bias[to + row] = gradient;
}

// Blocks of threads: the tiles of dW_ih, those of dW_hh, then the biases; down the groups.
__device__ __forceinline__ void sum_gradients(const GradientArguments& g) {
  const std::int64_t all = tiles_of(g.rows, kGroupOfRows), first_group = blockIdx.y * g.groups_at_once;
  const std::int64_t groups = first_group + g.groups_at_once < all ? g.groups_at_once : all - first_group;
  const std::int64_t to = blockIdx.y * g.group_size, down = tiles_of(g.gates * g.units, kGradientTile);
  std::int64_t tile = blockIdx.x;
  const std::int64_t of_input = g.d_input_weights ? down * tiles_of(g.features, kGradientTile) : 0;
  if (tile < of_input) return GradientTile(g, true, tile).run(first_group, groups, g.d_input_weights + to);
  tile -= of_input;
  const std::int64_t of_recurrent = g.d_recurrent_weights ? down * tiles_of(g.units, kGradientTile) : 0;
  if (tile < of_recurrent) return GradientTile(g, false, tile).run(first_group, groups, g.d_recurrent_weights + to);
  tile -= of_recurrent;
  add_bias(g, tile * kGradientThreads + threadIdx.x, first_group, groups, to);
}

// to[i] = the sum of `groups` elements, `size` apart, in order.
struct GroupArguments {
  std::int64_t groups, size;
  const float* from;
  float* to;
};

__device__ __forceinline__ void add_groups(const GroupArguments& g) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= g.size) return;
  float total = 0;
  for (std::int64_t group = 0; group < g.groups; ++group) total += g.from[group * g.size + i];
  g.to[i] = total;
}

// to[i] = values[i]: what a kernel's arguments bring needs no copy, and no waiting for one.
struct FillArguments {
  std::int64_t* to;
  std::int64_t count;
  std::int64_t values[248];
};

__device__ __forceinline__ void fill(const FillArguments& f) {
  for (std::int64_t i = threadIdx.x; i < f.count; i += blockDim.x) f.to[i] = f.values[i];
}

}  // namespace
}  // namespace elman
