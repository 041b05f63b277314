// BPTT: recurrence/backward.h for the GPU, the loop of forward.h in reverse. It leaves d_t of all rows behind, from
// which products.h and gradients.h take dx and the sums over steps and rows, and the order in which it reached them.
#pragma once

#include "cuda/cells.h"
#include "cuda/row_sums.h"
#include "cuda/sequence.h"
#include "cuda/step_product.h"

namespace elman {
namespace {

template <class Cell>
struct BackwardArguments {
  DeviceSequence sequence;
  StepWeights weights;  // columns: units; k: gates * units
  std::int64_t units;
  const float* h_0;  // (batch, units); null counts as zeros
  const float* c_0;  // the same of each state but the first, states_apart apart
  std::int64_t states_apart;
  const float* output;  // rows of the first state, output_width apart
  std::int64_t output_width;
  const float* kept;      // rows of kept * units; of a cell that keeps anything
  const float* d_output;  // rows of g_t, d_output_width apart; null: zeros
  std::int64_t d_output_width;
  const float* d_h_n;      // dL/dh_n (batch, units); null: zeros
  const float* d_c_n;      // as c_0
  float* deltas;           // rows of (deltas + unit inputs) * units
  std::int32_t* order;     // (rows): the rows as BPTT reaches them, and
  std::int32_t* previous;  // where the state that was fed back to them lies: a row, or -1 - i for the i-th initial one
  float* d_h_0;            // (batch, units); null: not wanted
  float* d_c_0;            // as c_0
  Array<const float*, FurtherInputs<Cell>::kCount> inputs;       // of a program
  Array<float*, Cell::kStepInputs + Cell::kRowInputs> d_inputs;  // null: not wanted
};

template <class Cell, int kRows, int kHeld>
class BackwardSteps {
 public:
  __device__ __forceinline__ explicit BackwardSteps(const BackwardArguments<Cell>& a)
      : a_(a),
        units_(static_cast<int>(a.units)),
        rows_(a.sequence, units_),
        memory_(a.weights, kRows, kHeld, kRows * ((kCarried + Cell::kBackwardTerms) * units_ + Cell::kBackwardSums)),
        product_(a.weights, memory_),
        row_sums_(memory_.carried + kCarried * kRows * units_, Cell::kBackwardTerms, units_) {}

  __device__ __forceinline__ void run() {
    begin_gradients();
    const int begin = rows_.begin(), end = rows_.end();
    const int last = begin - (a_.d_h_0 || a_.d_c_0 ? 1 : 0);
    Inputs next = inputs(threadIdx.x, end - 1);
    __syncthreads();
    for (int iteration = end - 1; iteration >= last; --iteration) {
      const Inputs now = next;
      if (iteration > begin) next = inputs(threadIdx.x, iteration - 1);
      if (Cell::kIsRecurrent) product_.run(delta(iteration + 1));
      if (kRows > 1 || a_.weights.parts > 1) __syncthreads();
      if (iteration >= begin) sum_rows<0>(iteration, now);
      for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
        const int row = rows_.row(item);
        if (rows_.has(row, iteration)) {
          step_back(item, iteration, gathered(item, iteration, now));
        } else if (rows_.has(row, iteration + 1)) {
          begin_of_row(item);
        }
      }
      __syncthreads();
    }
  }

 private:
  static constexpr int kCarried = Cell::kStates - 1 + (Cell::kCarriesHidden ? 1 : 0);

  struct Inputs {
    BackwardInputs<Cell> of_cell;
    float given;
  };

  __device__ __forceinline__ float* delta(int iteration) const {
    return memory_.rows + (iteration & 1) * kRows * memory_.padded;
  }
  // What of a state's gradient goes to the step before past the product.
  __device__ __forceinline__ float& carried(int state, int item) const {
    return memory_.carried[(Cell::kCarriesHidden ? state : state - 1) * kRows * units_ + item];
  }
  __device__ __forceinline__ static constexpr bool is_carried(int state) { return state > 0 || Cell::kCarriesHidden; }
  __device__ __forceinline__ std::int64_t place(int row, int iteration) const {
    return a_.sequence.before(a_.sequence.step(iteration)) + rows_.first + row;
  }
  __device__ __forceinline__ std::int64_t of_batch(int item) const {
    return (rows_.first + rows_.row(item)) * units_ + rows_.unit(item);
  }
  __device__ __forceinline__ float from_product(int item) const {
    return Cell::kIsRecurrent ? product_.total(rows_.row(item), rows_.unit(item)) : 0.0f;
  }

  __device__ __forceinline__ void begin_gradients() const {
    for (int i = threadIdx.x; i < 2 * kRows * memory_.padded + kHeld * kSumBlock; i += blockDim.x) memory_.rows[i] = 0;
    for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
      const bool is_there = rows_.is_there(rows_.row(item));
#pragma unroll
      for (int state = 0; state < Cell::kStates; ++state) {
        const bool is_given = state > 0 && a_.d_c_n && is_there;
        if (is_carried(state)) {
          carried(state, item) = is_given ? a_.d_c_n[(state - 1) * a_.states_apart + of_batch(item)] : 0.0f;
        }
      }
#pragma unroll
      for (int i = 0; i < Cell::kRowInputs; ++i) {
        float* const to = a_.d_inputs[Cell::kStepInputs + i];
        if (to && is_there) to[of_batch(item)] = 0;
      }
    }
  }

  // A state of a row after a step.
  __device__ __forceinline__ float after(int state, std::int64_t at, int unit) const {
    if (state == 0) return a_.output[at * a_.output_width + unit];
    return a_.kept[at * (Cell::kKept * units_) + (Cell::kOwnKept + state - 1) * units_ + unit];
  }

  // What lies in memory for a step, where the row has one.
  __device__ __forceinline__ Inputs inputs(int item, int iteration) const {
    Inputs result = {};
    const int row = rows_.row(item), unit = rows_.unit(item);
    if (item >= rows_.items() || !rows_.has(row, iteration)) return result;
    const std::int64_t at = place(row, iteration);
    const bool has_before = rows_.has(row, iteration - 1);
    BackwardInputs<Cell>& of_cell = result.of_cell;
    if (a_.d_output) result.given = a_.d_output[at * a_.d_output_width + unit];
#pragma unroll
    for (int state = 0; state < Cell::kStates; ++state) {
      of_cell.new_state[state] = {{after(state, at, unit)}};
      if (has_before) {
        of_cell.state[state] = {{after(state, place(row, iteration - 1), unit)}};
      } else {
        const float* const from = state == 0 ? a_.h_0 : a_.c_0 ? a_.c_0 + (state - 1) * a_.states_apart : nullptr;
        if (from) of_cell.state[state] = {{from[of_batch(item)]}};
      }
    }
#pragma unroll
    for (int i = 0; i < Cell::kOwnKept; ++i) {
      of_cell.kept[i] = {{a_.kept[at * (Cell::kKept * units_) + i * units_ + unit]}};
    }
    of_cell.read(a_.inputs, unit, at * units_ + unit, of_batch(item));
    return result;
  }

  // All that a step back is given; `now` is what lies in memory for the thread's first item.
  __device__ __forceinline__ BackwardInputs<Cell> gathered(int item, int iteration, const Inputs& now) const {
    const Inputs all = item < static_cast<int>(blockDim.x) ? now : inputs(item, iteration);
    BackwardInputs<Cell> result = all.of_cell;
    const int row = rows_.row(item);
    const bool has_later = rows_.has(row, iteration + 1);
    float gradient = all.given;
    if (has_later) {
      gradient += Cell::kFedBack == 0 ? from_product(item) : 0.0f;
    } else {
      gradient += a_.d_h_n ? a_.d_h_n[of_batch(item)] : 0.0f;
    }
    result.d_new_state[0] = {{Cell::kCarriesHidden ? gradient + carried(0, item) : gradient}};
#pragma unroll
    for (int state = 1; state < Cell::kStates; ++state) {
      const float from_later = carried(state, item);
      result.d_new_state[state] = {
          {has_later && state == Cell::kFedBack ? from_later + from_product(item) : from_later}};
    }
#pragma unroll
    for (int i = 0; i < Cell::kBackwardSums; ++i) result.row_sum[i] = {{row_sums_.at(i, row)}};
    return result;
  }

  template <int kLevel>
  __device__ __forceinline__ void sum_rows(int iteration, const Inputs& now) const {
    if constexpr (kLevel < Cell::kBackwardLevels) {
      constexpr int kFirst = Cell::backward_level(kLevel), kCount = Cell::backward_level(kLevel + 1) - kFirst;
      row_sums_.template run<kCount>(rows_, kFirst, [&](int item, Lane* terms) {
        if (!rows_.has(rows_.row(item), iteration)) return;
        Cell::template backward_terms<kLevel>(gathered(item, iteration, now), terms);
      });
      sum_rows<kLevel + 1>(iteration, now);
    }
  }

  // d_t of a row's unit.
  __device__ __forceinline__ void step_back(int item, int iteration, const BackwardInputs<Cell>& from) const {
    const int row = rows_.row(item), unit = rows_.unit(item);
    BackwardResults<Cell> to;
    Cell::backward(from, to);
    const std::int64_t at = place(row, iteration);
    if (unit == 0) note(row, iteration, at);
    float* const of_all = a_.deltas + at * ((Cell::kDeltas + Cell::kUnitInputs) * units_) + unit;
    float* const of_step = delta(iteration) + row * memory_.padded + unit;
#pragma unroll
    for (int i = 0; i < Cell::kDeltas; ++i) {
      of_all[i * units_] = to.delta[i].each[0];
      if (i >= Cell::kApart) of_step[(i - Cell::kApart) * units_] = to.delta[i].each[0];
    }
#pragma unroll
    for (int i = 0; i < Cell::kUnitInputs; ++i) of_all[(Cell::kDeltas + i) * units_] = to.d_unit_input[i].each[0];
#pragma unroll
    for (int state = 0; state < Cell::kStates; ++state) {
      if (is_carried(state)) carried(state, item) = to.d_state[state].each[0];
    }
#pragma unroll
    for (int i = 0; i < Cell::kStepInputs; ++i) {
      if (a_.d_inputs[i]) a_.d_inputs[i][at * units_ + unit] = to.d_step_input[i].each[0];
    }
#pragma unroll
    for (int i = 0; i < Cell::kRowInputs; ++i) {
      float* const of_rows = a_.d_inputs[Cell::kStepInputs + i];
      if (of_rows) of_rows[of_batch(item)] += to.d_row_input[i].each[0];
    }
  }

  // The gradients of the initial states of a row whose first step was the one before.
  __device__ __forceinline__ void begin_of_row(int item) const {
    if (a_.d_h_0) {
      float sum = Cell::kFedBack == 0 ? from_product(item) : 0.0f;
      if (Cell::kCarriesHidden) sum = Cell::kFedBack == 0 ? sum + carried(0, item) : carried(0, item);
      a_.d_h_0[of_batch(item)] = sum;
    }
#pragma unroll
    for (int state = 1; state < Cell::kStates; ++state) {
      const float past = carried(state, item);
      const float sum = state == Cell::kFedBack ? past + from_product(item) : past;
      if (a_.d_c_0) a_.d_c_0[(state - 1) * a_.states_apart + of_batch(item)] = sum;
    }
  }

  __device__ __forceinline__ void note(int row, int iteration, std::int64_t at) const {
    const DeviceSequence& sequence = a_.sequence;
    const int step = sequence.step(iteration);
    // rows of the iterations behind this one
    const std::int64_t reached = sequence.reverse
                                     ? sequence.before(step)
                                     : sequence.before(static_cast<int>(sequence.steps)) - sequence.before(step + 1);
    const std::int64_t position = reached + rows_.first + row;
    a_.order[position] = static_cast<std::int32_t>(at);
    a_.previous[position] =
        static_cast<std::int32_t>(rows_.has(row, iteration - 1) ? place(row, iteration - 1) : -1 - (rows_.first + row));
  }

  const BackwardArguments<Cell>& a_;
  int units_;
  const BlockRows<kRows> rows_;
  const StepMemory memory_;  // rows: d; carried: gradients of states past the product
  const StepProduct<kRows, kHeld> product_;
  const RowSums<kRows> row_sums_;
};

template <class Cell, int kRows, int kHeld>
__device__ __forceinline__ void backward_steps(const BackwardArguments<Cell>& arguments) {
  BackwardSteps<Cell, kRows, kHeld>(arguments).run();
}

}  // namespace
}  // namespace elman
