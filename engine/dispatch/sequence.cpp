#include "dispatch/sequence.h"

#include <stdexcept>
#include <string>

namespace elman {

bool check(const Sequence& sequence) {
  if (sequence.steps < 1) {
    throw std::invalid_argument("steps: expected at least 1, got " + std::to_string(sequence.steps));
  }
  const std::int64_t least = sequence.batch_sizes ? 1 : 0;
  if (sequence.batch < least) {
    throw std::invalid_argument("batch: expected at least " + std::to_string(least) + ", got " +
                                std::to_string(sequence.batch));
  }
  std::int64_t largest = sequence.batch;
  for (std::int64_t t = 0; sequence.batch_sizes && t < sequence.steps; ++t) {
    const std::int64_t rows = sequence.batch_sizes[t];
    if (rows < 1 || rows > largest || (t == 0 && rows != sequence.batch)) {
      throw std::invalid_argument("batch_sizes[" + std::to_string(t) + "]: expected " + (t == 0 ? "" : "from 1 to ") +
                                  std::to_string(largest) + ", got " + std::to_string(rows));
    }
    largest = rows;
  }
  return sequence.batch > 0;
}

}  // namespace elman
