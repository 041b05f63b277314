// BPTT: recurrence/backward.h for the GPU, the loop of forward.h in reverse. It leaves d_t of all rows behind, from
// which products.h and gradients.h take dx and the sums over steps and rows, and the order in which it reached them.
#pragma once

#include "cuda/cells.h"
#include "cuda/sequence.h"
#include "cuda/step_product.h"

namespace elman {
namespace {

struct BackwardArguments {
  DeviceSequence sequence;
  StepWeights weights;  // columns: units; k: gates * units
  std::int64_t units;
  const float* h_0;     // (batch, units); null counts as zeros
  const float* c_0;     // the same
  const float* output;  // rows of h_t, output_width apart
  std::int64_t output_width;
  const float* kept;      // rows of kept * units; of a cell that keeps anything
  const float* d_output;  // rows of g_t, d_output_width apart; null: zeros
  std::int64_t d_output_width;
  const float* d_h_n;      // dL/dh_n (batch, units); null: zeros
  const float* d_c_n;      // the same
  float* deltas;           // rows of deltas * units: of the gates apart W_ih's, then W_hh's of all
  std::int32_t* order;     // (rows): the rows as BPTT reaches them, and
  std::int32_t* previous;  // where their h_{t-1} lies: a row of the output, or -1 - i for the i-th of h_0
  float* d_h_0;            // (batch, units); null: not wanted
  float* d_c_0;            // the same
};

template <class Cell, int kRows, int kHeld>
class BackwardSteps {
 public:
  __device__ __forceinline__ explicit BackwardSteps(const BackwardArguments& a)
      : a_(a),
        units_(static_cast<int>(a.units)),
        rows_(a.sequence, units_),
        memory_(a.weights, kRows, kHeld, kCarries ? kRows * units_ : 0),
        product_(a.weights, memory_) {}

  __device__ __forceinline__ void run() {
    for (int i = threadIdx.x; i < 2 * kRows * memory_.padded + kHeld * kSumBlock; i += blockDim.x) memory_.rows[i] = 0;
    for (int item = threadIdx.x; kCarries && item < rows_.items(); item += blockDim.x) {
      const bool is_given = Cell::kStates == 2 && a_.d_c_n && rows_.is_there(rows_.row(item));
      memory_.carried[item] = is_given ? a_.d_c_n[rows_.first * units_ + item] : 0.0f;
    }
    const int begin = rows_.begin(), end = rows_.end();
    const int last = begin - (a_.d_h_0 || a_.d_c_0 ? 1 : 0);
    Inputs next = inputs(threadIdx.x, end - 1);
    __syncthreads();
    for (int iteration = end - 1; iteration >= last; --iteration) {
      const Inputs now = next;
      if (iteration > begin) next = inputs(threadIdx.x, iteration - 1);
      product_.run(delta(iteration + 1));
      if (kRows > 1 || a_.weights.parts > 1) __syncthreads();
      for (int item = threadIdx.x; item < rows_.items(); item += blockDim.x) {
        const int row = rows_.row(item);
        if (rows_.has(row, iteration)) {
          step_back(item, iteration, item < static_cast<int>(blockDim.x) ? now : inputs(item, iteration));
        } else if (rows_.has(row, iteration + 1)) {
          begin_of_row(item);
        }
      }
      __syncthreads();
    }
  }

 private:
  static constexpr bool kCarries = !Cell::kThroughOutput;
  static constexpr int kKept = Cell::kThroughOutput ? 0 : Cell::kKept;

  struct Inputs {
    float kept[kKept + 1], given, hidden, before;
  };

  __device__ __forceinline__ float* delta(int iteration) const {
    return memory_.rows + (iteration & 1) * kRows * memory_.padded;
  }
  __device__ __forceinline__ std::int64_t place(int row, int iteration) const {
    return a_.sequence.before(a_.sequence.step(iteration)) + rows_.first + row;
  }

  __device__ __forceinline__ Inputs inputs(int item, int iteration) const {
    Inputs result = {};
    const int row = rows_.row(item), unit = rows_.unit(item);
    if (item >= rows_.items() || !rows_.has(row, iteration)) return result;
    const std::int64_t at = place(row, iteration);
    if (a_.d_output) result.given = a_.d_output[at * a_.d_output_width + unit];
    if constexpr (Cell::kThroughOutput) {
      result.hidden = a_.output[at * a_.output_width + unit];
    } else {
      const float* const kept = a_.kept + unit;
      const std::int64_t width = Cell::kKept * units_;
#pragma unroll
      for (int field = 0; field < kKept; ++field) result.kept[field] = kept[at * width + field * units_];
      const bool has_before = rows_.has(row, iteration - 1);
      const float* const first = Cell::kStates == 2 ? a_.c_0 : a_.h_0;
      if (!has_before) {
        if (first) result.before = first[(rows_.first + row) * units_ + unit];
      } else if (Cell::kStates == 2) {
        result.before = kept[place(row, iteration - 1) * width + (Cell::kKept - 1) * units_];
      } else {
        result.before = a_.output[place(row, iteration - 1) * a_.output_width + unit];
      }
    }
    return result;
  }

  // d_t of a row's unit.
  __device__ __forceinline__ void step_back(int item, int iteration, const Inputs& input) {
    const int row = rows_.row(item), unit = rows_.unit(item);
    float from_later = 0;
    if (rows_.has(row, iteration + 1)) {
      from_later = product_.total(row, unit);
    } else if (a_.d_h_n) {
      from_later = a_.d_h_n[(rows_.first + row) * units_ + unit];
    }
    const std::int64_t at = place(row, iteration);
    if (unit == 0) note(row, iteration, at);
    const float gradient = input.given + from_later;
    float* const of_all = a_.deltas + at * (Cell::kDeltas * units_) + unit;
    float* const of_step = delta(iteration) + row * memory_.padded + unit;
    if constexpr (Cell::kThroughOutput) {
      *of_all = *of_step = Cell::template differentiate<float>(gradient, input.hidden);
    } else {
      const auto kept = fields_of<typename Cell::template Kept<Lane>, Cell::kKept>(
          [&](int field) { return Lane{{input.kept[field]}}; });
      Cell::template step_back<float>(kept, Lane{{input.before}}, Lane{{gradient}}, Lane{{memory_.carried[item]}},
                                      [&](const auto& of_gates, const Lane& carried_on) {
                                        memory_.carried[item] = carried_on.each[0];
                                        for_each_field<Cell::kDeltas>(of_gates, [&](int field, const Lane& value) {
                                          of_all[field * units_] = value.each[0];
                                          const int of_recurrent = field - Cell::kApart;
                                          if (of_recurrent >= 0) of_step[of_recurrent * units_] = value.each[0];
                                        });
                                      });
    }
  }

  // dh_0 and dc_0 of a row whose first step was the one before.
  __device__ __forceinline__ void begin_of_row(int item) {
    const int row = rows_.row(item), unit = rows_.unit(item);
    const std::int64_t at = (rows_.first + row) * units_ + unit;
    if (a_.d_h_0) {
      float sum = product_.total(row, unit);
      if (Cell::kCarriesHidden) sum += memory_.carried[item];
      a_.d_h_0[at] = sum;
    }
    if (Cell::kStates == 2 && a_.d_c_0) a_.d_c_0[at] = memory_.carried[item];
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

  const BackwardArguments& a_;
  int units_;
  const BlockRows<kRows> rows_;
  const StepMemory memory_;  // rows: d; carried: dL/dh past the product, or dL/dc
  const StepProduct<kRows, kHeld> product_;
};

template <class Cell, int kRows, int kHeld>
__device__ __forceinline__ void backward_steps(const BackwardArguments& arguments) {
  BackwardSteps<Cell, kRows, kHeld>(arguments).run();
}

}  // namespace
}  // namespace elman
