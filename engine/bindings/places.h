// Packed sequences that lie among padded rows.
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "bindings/sizes.h"
#include "elman/engine.h"
#include "threads/pool.h"

class Places {
 public:
  Places() = default;
  // `numbers` (packed sequences, 2), the step and the row at which each begins among `steps` of `rows`; `batch_sizes`,
  // which never grow and whose first is above 0.
  Places(const std::int64_t* numbers, const std::vector<std::int64_t>& batch_sizes, std::int64_t steps,
         std::int64_t rows)
      : steps_(steps), rows_(rows), ends_(static_cast<std::size_t>(rows)) {
    std::int64_t own = length(batch_sizes.size()), all = 0;  // steps of a sequence, and of all
    for (std::int64_t i = 0; i < batch_sizes.front(); ++i, numbers += 2) {
      while (batch_sizes[static_cast<std::size_t>(own) - 1] <= i) --own;
      const elman::Place place{numbers[0], numbers[1]};
      require(0 <= place.row && place.row < rows && 0 <= place.step && place.step <= steps - own,
              "places: expected rows that are there");
      std::int64_t& end = ends_[static_cast<std::size_t>(place.row)];
      end = std::max(end, place.step + own);
      places_.push_back(place);
      all += own;
    }
    require(std::accumulate(ends_.begin(), ends_.end(), std::int64_t{0}) == all,
            "places: expected sequences that follow one another");
    padding_ = steps * rows - all;
  }

  // Null where rows lie as they do without.
  const elman::Place* data() const { return places_.empty() ? nullptr : places_.data(); }

  // Zeros in the rows that are no sequence's.
  template <class T>
  void fill_padding(const elman::Rows<T>& padded, std::int64_t features, int most_threads) const {
    if (padding_ == 0 || !padded.data) return;
    const std::int64_t bytes = padding_ * features * length(sizeof(T));
    const std::int64_t shares = std::clamp<std::int64_t>(bytes / kBytesOfThread, 1, std::max(most_threads, 1));
    elman::parallel(shares, most_threads, [&](std::int64_t share) {
      for (std::int64_t step = share; step < steps_; step += shares) {
        for (std::int64_t row = 0; row < rows_; ++row) {
          if (step < ends_[static_cast<std::size_t>(row)]) continue;
          std::memset(padded.data + step * padded.step_stride + row * padded.row_stride, 0,
                      static_cast<std::size_t>(features) * sizeof(T));
        }
      }
    });
  }

 private:
  static constexpr std::int64_t kBytesOfThread = 256 << 10;  // some 20 us, where the memory is new

  std::int64_t steps_ = 0, rows_ = 0, padding_ = 0;
  std::vector<elman::Place> places_;
  std::vector<std::int64_t> ends_;  // of each row, behind its last sequence
};
