// The measured thresholds by which the recurrence shares out its work and chooses its chunks. They decide how long a
// call takes, never what it gives: no order of a sum hangs on them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace elman {
namespace {
namespace tuning {

// Threads. With less than its share to do, a thread that sleeps wakes too late to help.
inline constexpr std::int64_t kMultiplicationsOfThread = 1'500'000;
inline constexpr std::size_t kPackedBytesOfThread = std::size_t{512} << 10;  // some 20 us

// Groups of rows. Weights that outgrow the second-level cache are read anew at each step: then more rows share a
// reading.
inline constexpr std::int64_t kRowsOfGroup = 48;
inline constexpr std::int64_t kMostRowsOfGroup = 2 * kRowsOfGroup;  // of short sequences, for like shares
inline constexpr std::int64_t kRowsOfCachedGroup = 24;
inline constexpr std::size_t kCachedWeights = std::size_t{256} << 10;

// Sharing out the units of each step instead, where rows are few: one of so many bytes of weights that waiting for the
// other threads at the end of each step pays, or a few of weights past the second-level cache.
inline constexpr std::size_t kWeightsOfOneRow = std::size_t{200} << 10;
inline constexpr std::int64_t kFewRows = 8;
inline constexpr std::size_t kWeightsOfFewRows = std::size_t{2} << 20;

// Input projection: rows whose results are still in the cache when their step comes.
inline constexpr std::int64_t kRowsOfProjection = kMostRowsOfGroup;
// Of rows that have places each may lie on a page of its own: of so many, and as many of the output, the processor
// still knows them all.
inline constexpr std::int64_t kRowsOfProjectionInPlaces = 20;

// dx: rows of a block, and blocks for each thread, lest one wait for the other's last.
inline constexpr std::int64_t kRowsOfInputGradient = 96;
inline constexpr std::int64_t kInputGradientsOfThread = 2;

// Weight gradients: panels at once, for each time d^T is read anew; with few panels for each thread they are cut in
// two, lest one wait for the other's last.
inline constexpr std::int64_t kPanelsAtOnce = 4;
inline constexpr std::int64_t kPanelsOfThread = 8;

}  // namespace tuning
}  // namespace
}  // namespace elman
