// The forward loop over steps: recurrence/forward.h for the GPU. A block of threads takes a few rows through the whole
// sequence. Each step has two parts: the sums of W_hh h_{t-1}, a thread a gate and unit or several of them, then the
// cells, a thread a unit.
#pragma once

#include "cuda/cells.h"
#include "cuda/sequence.h"
#include "cuda/step_product.h"

namespace elman {
namespace {

struct ForwardArguments {
  DeviceSequence sequence;
  StepWeights weights;  // columns: gates * units; k: units
  std::int64_t units;
  const float* recurrent_bias;  // b_hh of the gates apart; null counts as zeros
  const float* h_0;             // (batch, units); null counts as zeros
  const float* c_0;             // the same
  float* sums;                  // rows of W_ih x + b, sums_width apart; written over with what is kept for BPTT
  std::int64_t sums_width;
  float* output;  // rows of h_t, output_width apart; of a cell of one gate `sums` is the same
  std::int64_t output_width;
  float* h_n;  // (batch, units)
  float* c_n;  // the same, of a cell that has it
  std::int64_t keeps;
};

template <class Cell, int kRows, int kHeld>
class ForwardSteps {
 public:
  __device__ __forceinline__ explicit ForwardSteps(const ForwardArguments& a)
      : a_(a),
        units_(static_cast<int>(a.units)),
        rows_(a.sequence, units_),
        memory_(a.weights, kRows, kHeld, Cell::kStates == 2 ? kRows * units_ : 0),
        product_(a.weights, memory_) {}

  __device__ __forceinline__ void run() {
    begin_states();
    const int begin = rows_.begin(), end = rows_.end();
    Inputs next = inputs(threadIdx.x, begin);
    __syncthreads();
    for (int iteration = begin; iteration < end; ++iteration) {
      const Inputs now = next;
      if (iteration + 1 < end) next = inputs(threadIdx.x, iteration + 1);
      product_.run(state(iteration));
      // where a thread's sums are its own unit's alone it waits for none
      if (Cell::kGates > 1 || kRows > 1 || a_.weights.parts > 1) __syncthreads();
      for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
        step(item, iteration, item < static_cast<int>(blockDim.x) ? now : inputs(item, iteration));
      }
      __syncthreads();
    }
  }

 private:
  struct Inputs {
    float of_gate[Cell::kGates];
  };

  __device__ __forceinline__ float* state(int iteration) const {
    return memory_.rows + (iteration & 1) * kRows * memory_.padded;
  }
  __device__ __forceinline__ std::int64_t place(int row, int iteration) const {
    return a_.sequence.before(a_.sequence.step(iteration)) + rows_.first + row;
  }

  __device__ __forceinline__ void begin_states() {
    for (int i = threadIdx.x; i < 2 * kRows * memory_.padded + kHeld * kSumBlock; i += blockDim.x) memory_.rows[i] = 0;
    __syncthreads();
    for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
      const int row = rows_.row(item), unit = rows_.unit(item);
      const bool is_there = rows_.is_there(row);
      const std::int64_t at = (rows_.first + row) * units_ + unit;
      // in both, for a row whose first step comes late
      if (a_.h_0 && is_there)
        state(0)[row * memory_.padded + unit] = state(1)[row * memory_.padded + unit] = a_.h_0[at];
      if (Cell::kStates == 2) memory_.carried[item] = a_.c_0 && is_there ? a_.c_0[at] : 0.0f;
    }
  }

  // What the input adds, where the row has a step.
  __device__ __forceinline__ Inputs inputs(int item, int iteration) const {
    Inputs result = {};
    const int row = rows_.row(item);
    if (item >= rows_.items() || !rows_.has(row, iteration)) return result;
    const float* from = a_.sums + place(row, iteration) * a_.sums_width + rows_.unit(item);
#pragma unroll
    for (int gate = 0; gate < Cell::kGates; ++gate) result.of_gate[gate] = from[gate * units_];
    return result;
  }

  __device__ __forceinline__ void step(int item, int iteration, const Inputs& input) {
    const int row = rows_.row(item), unit = rows_.unit(item);
    if (!rows_.has(row, iteration)) return;
    const std::int64_t at = place(row, iteration);
    const float hidden = stepped(item, row, unit, at, input, state(iteration)[row * memory_.padded + unit]);
    state(iteration + 1)[row * memory_.padded + unit] = hidden;
    a_.output[at * a_.output_width + unit] = hidden;
    if (iteration + 1 < rows_.end(row)) return;
    const std::int64_t final = (rows_.first + row) * units_ + unit;
    a_.h_n[final] = hidden;
    if (Cell::kStates == 2) a_.c_n[final] = memory_.carried[item];
  }

  // h_t, where h_{t-1} is `before`.
  __device__ __forceinline__ float stepped(int item, int row, int unit, std::int64_t at, const Inputs& input,
                                           float before) {
    const auto recurrent = [&](int gate) { return product_.total(row, gate * units_ + unit); };
    if constexpr (Cell::kThroughOutput) {
      return Cell::template activate<float>(Lane{{input.of_gate[0] + recurrent(0)}}).each[0];
    } else {
      constexpr int kAdded = Cell::kGates - Cell::kApart;
      const auto added = fields_of<typename Cell::template Gates<Lane>, Cell::kGates>([&](int gate) {
        return Lane{{gate < kAdded ? input.of_gate[gate] + recurrent(gate) : input.of_gate[gate]}};
      });
      const auto apart = fields_of<typename Cell::template Apart<Lane>, Cell::kApart>([&](int gate) {
        const float bias = a_.recurrent_bias ? a_.recurrent_bias[gate * units_ + unit] : 0.0f;
        return Lane{{recurrent(kAdded + gate) + bias}};
      });
      float result = 0;
      const Lane state = {{Cell::kStates == 2 ? memory_.carried[item] : before}};
      Cell::template step<float>(added, apart, state, [&](const Lane& hidden, const auto& kept) {
        result = hidden.each[0];
        if constexpr (Cell::kStates == 2) memory_.carried[item] = kept.cell.each[0];
        if (!a_.keeps) return;
        float* const to = a_.sums + at * a_.sums_width + unit;
        for_each_field<Cell::kKept>(kept, [&](int field, const Lane& value) { to[field * units_] = value.each[0]; });
      });
      return result;
    }
  }

  const ForwardArguments& a_;
  int units_;
  const BlockRows<kRows> rows_;
  const StepMemory memory_;  // rows: h; carried: c
  const StepProduct<kRows, kHeld> product_;
};

template <class Cell, int kRows, int kHeld>
__device__ __forceinline__ void forward_steps(const ForwardArguments& arguments) {
  ForwardSteps<Cell, kRows, kHeld>(arguments).run();
}

}  // namespace
}  // namespace elman
