// Scores to probabilities.
#pragma once

#include <cstdint>

namespace elman {

// probabilities[i] = exp(scores[i] - m) / sum_j exp(scores[j] - m) with m the largest score, or its logarithm, for each
// of `rows` rows of `classes` scores. Both arrays are (rows, classes), contiguous, and the caller's; `probabilities` is
// written, and may be `scores` itself but not overlap it otherwise. Either size may be 0, the pointers then null.
// Sizes are not checked, nothing is thrown, and any number of threads may call at once.
//
// Computed in double, sums in ascending order, rounded once: a row is the same bits in any batch and on any processor.
// A row that holds NaN, or +infinity, becomes NaN, as in PyTorch.
template <class T>
void softmax(std::int64_t rows, std::int64_t classes, const T* scores, T* probabilities, bool logarithm);

extern template void softmax(std::int64_t, std::int64_t, const float*, float*, bool);
extern template void softmax(std::int64_t, std::int64_t, const double*, double*, bool);

}  // namespace elman
