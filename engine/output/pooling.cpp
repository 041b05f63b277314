#include "elman/pooling.h"

#include <algorithm>

#include "dispatch/sequence.h"
#include "threads/workspace.h"

namespace elman {
namespace {

template <class T>
void run(const Pooling<T>& call) {
  const Sequence& sequence = call.sequence;
  if (!check(sequence)) return;
  const std::int64_t batch = sequence.batch, features = call.features;
  const WorkspaceUse of_call(Slot::call);
  const auto sums = workspace_of<double>(Slot::call, batch * features);
  std::fill(sums, sums + batch * features, 0.0);

  // The rows whose last step has been taken; a batch is sorted, so that they are its last.
  std::int64_t rows = batch;
  const auto finish = [&](std::int64_t first, std::int64_t length) {
    for (std::int64_t row = first; row < rows; ++row) {
      T* mean = call.mean + row * call.output_row;
      const double* sum = sums + row * features;
      for (std::int64_t i = 0; i < features; ++i) mean[i] = static_cast<T>(sum[i] / static_cast<double>(length));
    }
    rows = first;
  };
  const T* step = call.input.data;
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    finish(sequence.batch_sizes ? sequence.batch_sizes[t] : batch, t);
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* from = step + row * call.input.row_stride;
      T* largest = call.largest + row * call.output_row;
      double* sum = sums + row * features;
      if (t == 0) std::copy(from, from + features, largest);
      for (std::int64_t i = 0; i < features; ++i) {
        const T value = from[i];
        largest[i] = value > largest[i] || value != value ? value : largest[i];
        sum[i] += static_cast<double>(value);
      }
    }
    step += sequence.batch_sizes ? rows * call.input.row_stride : call.input.step_stride;
  }
  finish(0, sequence.steps);
}

}  // namespace

void pool(const Pooling<float>& call) { run(call); }
void pool(const Pooling<double>& call) { run(call); }

}  // namespace elman
