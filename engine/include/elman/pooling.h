// What a sequence comes to: the largest value and the mean of each feature over its own steps. What engine.h says of
// pointers and sequences holds here. Any number of threads may call at once; a call uses its own alone.
#pragma once

#include "elman/engine.h"

namespace elman {

// Means are sums in double, step after step from the first, divided by the number of steps and rounded once, so that
// neither the batch nor padding shows in them. NaN in a step is NaN in both.
template <class T>
struct Pooling {
  Sequence sequence;          // `reverse` is not read
  std::int64_t features = 0;  // 0 or more
  Rows<const T> input;        // (steps, batch, features) or packed, read; feature_stride must be 1
  T* largest = nullptr;       // (batch, features), written, rows `output_row` elements apart; not null
  T* mean = nullptr;          // the same; the two may be halves of one array's rows
  std::ptrdiff_t output_row = 0;
};

// Throws std::invalid_argument for a sequence that cannot be, before anything is written, and std::bad_alloc.
void pool(const Pooling<float>&);
void pool(const Pooling<double>&);

}  // namespace elman
