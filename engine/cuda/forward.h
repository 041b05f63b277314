// The forward loop over steps: recurrence/forward.h for the GPU. A block of threads takes a few rows through the whole
// sequence. Each step has two parts: the sums of W_hh h_{t-1}, a thread a gate and unit or several of them, then the
// cells, a thread a unit.
#pragma once

#include "cuda/cells.h"
#include "cuda/row_sums.h"
#include "cuda/sequence.h"
#include "cuda/step_product.h"

namespace elman {
namespace {

template <class Cell>
struct ForwardArguments {
  DeviceSequence sequence;
  StepWeights weights;  // columns: gates * units; k: units
  std::int64_t units;
  const float* recurrent_bias;  // b_hh of the gates apart; null counts as zeros
  const float* h_0;             // (batch, units); null counts as zeros
  const float* c_0;             // the same of each state but the first, states_apart apart
  std::int64_t states_apart;
  const float* sums;  // rows of W_ih x + b, sums_width apart
  std::int64_t sums_width;
  float* output;  // rows of the first state, output_width apart; of a cell of one gate `sums` may be the same
  std::int64_t output_width;
  float* h_n;   // as h_0
  float* c_n;   // as c_0
  float* kept;  // rows of kept * units, where what is kept for BPTT goes: `sums` may be the same; null: it is not kept
  Array<const float*, FurtherInputs<Cell>::kCount> inputs;  // of a program
};

template <class Cell, int kRows, int kHeld>
class ForwardSteps {
 public:
  __device__ __forceinline__ explicit ForwardSteps(const ForwardArguments<Cell>& a)
      : a_(a),
        units_(static_cast<int>(a.units)),
        rows_(a.sequence, units_),
        memory_(a.weights, kRows, kHeld, kRows * ((kCarried + Cell::kForwardTerms) * units_ + Cell::kForwardSums)),
        product_(a.weights, memory_),
        row_sums_(memory_.carried + kCarried * kRows * units_, Cell::kForwardTerms, units_) {}

  __device__ __forceinline__ void run() {
    begin_states();
    const int begin = rows_.begin(), end = rows_.end();
    Inputs next = inputs(threadIdx.x, begin);
    __syncthreads();
    for (int iteration = begin; iteration < end; ++iteration) {
      const Inputs now = next;
      if (iteration + 1 < end) next = inputs(threadIdx.x, iteration + 1);
      if (Cell::kIsRecurrent) product_.run(fed_back(iteration));
      // where a thread's sums are its own unit's alone it waits for none
      if (Cell::kGates > 1 || kRows > 1 || a_.weights.parts > 1) __syncthreads();
      sum_rows<0>(iteration, now);
      for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
        if (rows_.has(rows_.row(item), iteration)) step(item, iteration, gathered(item, iteration, now));
      }
      __syncthreads();
    }
  }

 private:
  static constexpr int kCarried = Cell::kStates - 1;  // all states but the one that is fed back
  using Inputs = StepInputs<Cell>;

  __device__ __forceinline__ float* fed_back(int iteration) const {
    return memory_.rows + (iteration & 1) * kRows * memory_.padded;
  }
  __device__ __forceinline__ float& carried(int state, int item) const {
    return memory_.carried[(state < Cell::kFedBack ? state : state - 1) * kRows * units_ + item];
  }
  __device__ __forceinline__ std::int64_t place(int row, int iteration) const {
    return a_.sequence.before(a_.sequence.step(iteration)) + rows_.first + row;
  }

  __device__ __forceinline__ void begin_states() {
    for (int i = threadIdx.x; i < 2 * kRows * memory_.padded + kHeld * kSumBlock; i += blockDim.x) memory_.rows[i] = 0;
    __syncthreads();
    for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
      const int row = rows_.row(item), unit = rows_.unit(item);
      const std::int64_t at = (rows_.first + row) * units_ + unit;
#pragma unroll
      for (int state = 0; state < Cell::kStates; ++state) {
        const float* const from = state == 0 ? a_.h_0 : a_.c_0 ? a_.c_0 + (state - 1) * a_.states_apart : nullptr;
        const float value = from && rows_.is_there(row) ? from[at] : 0.0f;
        if (state == Cell::kFedBack) {  // in both, for a row whose first step comes late
          fed_back(0)[row * memory_.padded + unit] = fed_back(1)[row * memory_.padded + unit] = value;
        } else {
          carried(state, item) = value;
        }
      }
    }
  }

  // What lies in memory for a step, where the row has one.
  __device__ __forceinline__ Inputs inputs(int item, int iteration) const {
    Inputs result = {};
    const int row = rows_.row(item), unit = rows_.unit(item);
    if (item >= rows_.items() || !rows_.has(row, iteration)) return result;
    const std::int64_t at = place(row, iteration);
#pragma unroll
    for (int gate = 0; gate < Cell::kGates; ++gate) {
      result.sum[gate] = {{a_.sums[at * a_.sums_width + gate * units_ + unit]}};
    }
    result.read(a_.inputs, unit, at * units_ + unit, (rows_.first + row) * units_ + unit);
    return result;
  }

  // All that a step is given; `now` is what lies in memory for the thread's first item.
  __device__ __forceinline__ Inputs gathered(int item, int iteration, const Inputs& now) const {
    constexpr int kAdded = Cell::kGates - Cell::kApart;
    const int row = rows_.row(item), unit = rows_.unit(item);
    Inputs result = item < static_cast<int>(blockDim.x) ? now : inputs(item, iteration);
    const auto recurrent = [&](int gate) {
      return Cell::kIsRecurrent ? product_.total(row, gate * units_ + unit) : 0.0f;
    };
#pragma unroll
    for (int gate = 0; gate < kAdded; ++gate) result.sum[gate].each[0] += recurrent(gate);
#pragma unroll
    for (int gate = 0; gate < Cell::kApart; ++gate) {
      const float bias = a_.recurrent_bias ? a_.recurrent_bias[gate * units_ + unit] : 0.0f;
      result.from_hidden[gate] = {{recurrent(kAdded + gate) + bias}};
    }
#pragma unroll
    for (int state = 0; state < Cell::kStates; ++state) {
      const bool is_fed_back = state == Cell::kFedBack;
      result.state[state] = {{is_fed_back ? fed_back(iteration)[row * memory_.padded + unit] : carried(state, item)}};
    }
#pragma unroll
    for (int i = 0; i < Cell::kForwardSums; ++i) result.row_sum[i] = {{row_sums_.at(i, row)}};
    return result;
  }

  template <int kLevel>
  __device__ __forceinline__ void sum_rows(int iteration, const Inputs& now) const {
    if constexpr (kLevel < Cell::kForwardLevels) {
      constexpr int kFirst = Cell::forward_level(kLevel), kCount = Cell::forward_level(kLevel + 1) - kFirst;
      row_sums_.template run<kCount>(rows_, kFirst, [&](int item, Lane* terms) {
        if (!rows_.has(rows_.row(item), iteration)) return;
        Cell::template forward_terms<kLevel>(gathered(item, iteration, now), terms);
      });
      sum_rows<kLevel + 1>(iteration, now);
    }
  }

  __device__ __forceinline__ void step(int item, int iteration, const Inputs& from) {
    const int row = rows_.row(item), unit = rows_.unit(item);
    StepResults<Cell> to;
    Cell::forward(from, to);
    const std::int64_t at = place(row, iteration);
    a_.output[at * a_.output_width + unit] = to.new_state[0].each[0];
    if (Cell::kKept > 0 && a_.kept) {
      float* const kept = a_.kept + at * (Cell::kKept * units_) + unit;
#pragma unroll
      for (int i = 0; i < Cell::kOwnKept; ++i) kept[i * units_] = to.kept[i].each[0];
#pragma unroll
      for (int state = 1; state < Cell::kStates; ++state) {
        kept[(Cell::kOwnKept + state - 1) * units_] = to.new_state[state].each[0];
      }
    }
    const bool is_last = iteration + 1 == rows_.end(row);
    const std::int64_t final = (rows_.first + row) * units_ + unit;
#pragma unroll
    for (int state = 0; state < Cell::kStates; ++state) {
      const float value = to.new_state[state].each[0];
      if (state == Cell::kFedBack) {
        fed_back(iteration + 1)[row * memory_.padded + unit] = value;
      } else {
        carried(state, item) = value;
      }
      if (is_last) (state == 0 ? a_.h_n : a_.c_n + (state - 1) * a_.states_apart)[final] = value;
    }
  }

  const ForwardArguments<Cell>& a_;
  int units_;
  const BlockRows<kRows> rows_;
  const StepMemory memory_;  // rows: what is fed back; carried: the other states
  const StepProduct<kRows, kHeld> product_;
  const RowSums<kRows> row_sums_;
};

template <class Cell, int kRows, int kHeld>
__device__ __forceinline__ void forward_steps(const ForwardArguments<Cell>& arguments) {
  ForwardSteps<Cell, kRows, kHeld>(arguments).run();
}

}  // namespace
}  // namespace elman
