// The micro-kernel: sums[row][column] = sum over k of A[row][k] * B[k][column] for a few rows and a few panels of
// columns. Everything the engine multiplies goes through here.
//
// The order of summation is part of the library's promise: consecutive blocks of k, each block a chain of fused
// multiply-adds from zero in ascending k, the blocks added in order. How many rows and panels are taken at once
// does not touch it.
#pragma once

#include "simd/vector.h"

namespace elman {
namespace {

// B is packed in panels of two vectors of columns: panel[k][kPanel columns], zeros where columns have ended.
template <class T>
inline constexpr int kPanel = 2 * kLanes<T>;

#if ELMAN_VECTOR_BYTES == 64 || defined(__aarch64__)
inline constexpr int kRegisters = 32;
#else
inline constexpr int kRegisters = 16;
#endif

// Rows by 2 vectors: 12 sums are enough to hide the latency of 8 additions and fit 16 registers, 16 sums fit 32. With
// SSE, whose product and sum are two operations, the totals of 4 rows stay in its registers, which halves the time.
inline constexpr int kTileRows = ELMAN_VECTOR_BYTES == 64 ? 8 : ELMAN_VECTOR_BYTES == 16 && kRegisters == 16 ? 4 : 6;
inline constexpr int kTilePanels = 4;                                     // at most, where there are few rows
inline constexpr int kTileVectors = 2 * (kTileRows > 6 ? kTileRows : 6);  // of sums, at most: 3 rows take 2 panels

// What is wanted soon, asked of memory while something else is multiplied: `lines` of the cache with each block of k.
template <class T>
struct Ahead {
  static constexpr std::ptrdiff_t kLine = 64 / sizeof(T);

  const T* at = nullptr;
  int lines = 0;

  // One of several shares of so many elements, each asked for with `blocks` blocks.
  static Ahead share(const T* from, std::ptrdiff_t elements, std::ptrdiff_t index, std::ptrdiff_t shares,
                     std::ptrdiff_t blocks) {
    const std::ptrdiff_t each = shares * blocks * kLine, lines = (elements + each - 1) / each;
    return {from + index * blocks * lines * kLine, static_cast<int>(lines)};
  }

  [[gnu::always_inline]] void ask() {
    for (int i = 0; i < lines; ++i, at += kLine) __builtin_prefetch(at);
  }
};

// Row r of A begins at a[r] + a_offset, its columns are a_step apart; panels of B are b_panel apart. The sums begin at
// zero, or with `resume` at what they are; those of each row are 2 vectors for each panel, of which only the first is
// read and written where kIsNarrow.
template <class T, int kRows, int kPanels, int kBlock, bool kIsNarrow = false>
[[gnu::noinline]] void multiply_tile(const T* const* a, std::ptrdiff_t a_offset, std::ptrdiff_t a_step, const T* b,
                                     std::ptrdiff_t b_panel, std::ptrdiff_t depth, bool resume, T* sums,
                                     Ahead<T> ahead) {
  using V = Vector<T>;
  constexpr int kLane = kLanes<T>;
  constexpr int kVectors = kIsNarrow ? 1 : 2 * kPanels, kDistance = 2 * kPanels;
  static_assert(kPanels <= kTilePanels && kRows * kDistance <= kTileVectors && (!kIsNarrow || kPanels == 1));
  // The totals of a tile stay in registers where the sums of a block leave room for them, else in the first-level
  // cache.
  constexpr bool kInRegisters = 2 * kRows * kVectors <= kRegisters;
  const auto on_each_sum = [](const auto& f) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) f(r, v, (r * kDistance + v) * kLane);
    }
  };
  const T* rows[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) rows[r] = a[r] + a_offset;
  V total[kRows][kVectors];
  on_each_sum([&](int r, int v, int at) __attribute__((always_inline)) {
    if constexpr (kInRegisters) {
      total[r][v] = resume ? load(sums + at) : V{};
    } else if (depth == 0) {
      store(sums + at, V{});
    }
  });

  for (; depth > 0; depth -= kBlock) {
    V block[kRows][kVectors];
    const auto add = [&](std::ptrdiff_t k, bool is_first) __attribute__((always_inline)) {
      V columns[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) columns[v] = load(b + (v / 2) * b_panel + (v % 2) * kLane);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const V value = broadcast(rows[r][k]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          block[r][v] = is_first ? value * columns[v] : add_product(block[r][v], value, columns[v]);
        }
      }
      b += kPanel<T>;
    };
    if constexpr (2 * kRows >= kTileRows) ahead.ask();  // a tile of fewer is alone, and what comes next comes in time
    add(0, true);
    std::ptrdiff_t at = a_step;
    if (!kInRegisters && depth >= kBlock) {
      constexpr int kUnrolled = 16;
#pragma GCC unroll 16
      for (int k = 1; k < kUnrolled; ++k, at += a_step) add(at, false);
#pragma GCC unroll 1
      for (int done = kUnrolled; done < kBlock; done += kUnrolled) {
#pragma GCC unroll 16
        for (int k = 0; k < kUnrolled; ++k, at += a_step) add(at, false);
      }
    } else {
      const std::ptrdiff_t length = depth < kBlock ? depth : kBlock;
      for (std::ptrdiff_t k = 1; k < length; ++k, at += a_step) add(at, false);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) rows[r] += at;
    on_each_sum([&](int r, int v, int to) __attribute__((always_inline)) {
      if constexpr (kInRegisters) {
        total[r][v] += block[r][v];
      } else {
        store(sums + to, (resume ? load(sums + to) : V{}) + block[r][v]);
      }
    });
    resume = true;
  }
  if constexpr (kInRegisters) {
    on_each_sum([&](int r, int v, int to) __attribute__((always_inline)) { store(sums + to, total[r][v]); });
  }
}

}  // namespace
}  // namespace elman
