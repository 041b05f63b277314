// Blocked products made of the micro-kernel, and the packing of their right-hand side.
#pragma once

#include <utility>

#include "tile/sums.h"
#include "tile/tile.h"

namespace elman {
namespace {

// Blocks of 16 bring the error of float32 sums below that of PyTorch's.
inline constexpr int kBlock = 16;

inline std::ptrdiff_t panels(std::ptrdiff_t columns, std::ptrdiff_t panel) { return (columns + panel - 1) / panel; }

inline constexpr int kSquare = 4;

// Of two rows of squares side by side, elements of each square of the one and of the other: those of the other count
// from kSquare on.
template <int a, int b, int c, int d, class V, int... kLane>
[[gnu::always_inline]] inline V of_both(V x, V y, std::integer_sequence<int, kLane...>) {
  constexpr int kFrom[] = {a, b, c, d}, kCount = sizeof...(kLane);
  return __builtin_shufflevector(
      x, y,
      (kLane / kSquare * kSquare + kFrom[kLane % kSquare] % kSquare + kFrom[kLane % kSquare] / kSquare * kCount)...);
}

// Four elements of each of several rows, kSquare rows apart.
template <class T, int kSquares>
[[gnu::always_inline]] inline auto load_squares(const T* from, std::ptrdiff_t from_row) {
  typedef T Values __attribute__((vector_size(kSquares * kSquare * sizeof(T))));
  Values values;
  if constexpr (kSquares == 1) {
    __builtin_memcpy(&values, from, sizeof values);
  } else {
    const auto first = load_squares<T, kSquares / 2>(from, from_row);
    const auto second = load_squares<T, kSquares / 2>(from + kSquares / 2 * kSquare * from_row, from_row);
    values = [&]<int... kLane>(std::integer_sequence<int, kLane...>) __attribute__((always_inline)) {
      return __builtin_shufflevector(first, second, kLane...);
    }(std::make_integer_sequence<int, kSquares * kSquare>());
  }
  return values;
}

// Rows of four elements, `from_row` apart, as columns, `to_row` apart: kSquares squares of them side by side.
template <int kSquares, class T>
[[gnu::always_inline]] inline void transpose(const T* from, std::ptrdiff_t from_row, T* to, std::ptrdiff_t to_row) {
  constexpr auto kLanesOfAll = std::make_integer_sequence<int, kSquares * kSquare>();
  decltype(load_squares<T, kSquares>(from, from_row)) row[kSquare], half[kSquare];
  for (int i = 0; i < kSquare; ++i) row[i] = load_squares<T, kSquares>(from + i * from_row, from_row);
  for (int i = 0; i < kSquare; i += 2) {
    half[i] = of_both<0, 4, 1, 5>(row[i], row[i + 1], kLanesOfAll);
    half[i + 1] = of_both<2, 6, 3, 7>(row[i], row[i + 1], kLanesOfAll);
  }
  for (int i = 0; i < 2; ++i) {
    const auto even = of_both<0, 1, 4, 5>(half[i], half[i + 2], kLanesOfAll);
    const auto odd = of_both<2, 3, 6, 7>(half[i], half[i + 2], kLanesOfAll);
    __builtin_memcpy(to + 2 * i * to_row, &even, sizeof even);
    __builtin_memcpy(to + (2 * i + 1) * to_row, &odd, sizeof odd);
  }
}

// matrix[k * k_stride + column * column_stride] as a panel at `to`, of up to kPanel columns.
template <class T>
void pack_panel(const T* matrix, std::ptrdiff_t k_stride, std::ptrdiff_t column_stride, std::ptrdiff_t depth,
                std::ptrdiff_t columns, T* to) {
  constexpr std::ptrdiff_t kWidth = kPanel<T>;
  constexpr int kSquares = kLanes<T> > kSquare ? kLanes<T> / kSquare : 1;
  std::ptrdiff_t k = 0;
  if (columns == kWidth && column_stride == 1) {
    for (; k < depth; ++k) __builtin_memcpy(to + k * kWidth, matrix + k * k_stride, sizeof(T) * kWidth);
  } else if (columns == kWidth && k_stride == 1) {
    for (; k + kSquare <= depth; k += kSquare) {
      for (std::ptrdiff_t c = 0; c < kWidth; c += kSquares * kSquare) {
        transpose<kSquares>(matrix + k + c * column_stride, column_stride, to + k * kWidth + c, kWidth);
      }
    }
  }
  for (; k < depth; ++k) {
    for (std::ptrdiff_t c = 0; c < columns; ++c) to[k * kWidth + c] = matrix[k * k_stride + c * column_stride];
    for (std::ptrdiff_t c = columns; c < kWidth; ++c) to[k * kWidth + c] = 0;
  }
}

// A matrix (depth, gates * columns) in panels, one after another: those of the same columns of each gate side by side.
template <class T>
struct Packed {
  const T* data = nullptr;
  std::ptrdiff_t depth = 0;
  std::ptrdiff_t columns = 0;  // of a gate
  int gates = 1;
  const T* rows = nullptr;  // where given, the transpose, (gates * columns, depth): `data` is none, and the panels are
                            // made in `room` when they are read, by one thread
  T* room = nullptr;

  // The columns from `begin`, where a panel begins, to end - 1; all that there are where they lie in rows.
  Packed slice(std::ptrdiff_t begin, std::ptrdiff_t end) const {
    return {data + begin * depth * gates, depth, end - begin, gates, rows, room};
  }

  std::size_t bytes() const { return sizeof(T) * static_cast<std::size_t>(depth * columns * gates); }

  const T* panel(std::ptrdiff_t column, int gate) const { return data + (column * gates + gate * kPanel<T>)*depth; }

  // `count` panels, one after another: that of these columns of this gate, and what lies behind it.
  const T* panels_at(std::ptrdiff_t column, int gate, int count) const {
    constexpr std::ptrdiff_t kWidth = kPanel<T>;
    if (!rows) return panel(column, gate);
    for (int i = 0; i < count; ++i) {
      const std::ptrdiff_t first = gates == 1 ? column + i * kWidth : column;
      const std::ptrdiff_t row = (gates == 1 ? 0 : (gate + i) * columns) + first;
      const std::ptrdiff_t width = columns - first < kWidth ? columns - first : kWidth;
      pack_panel(rows + row * depth, 1, depth, depth, width, room + i * kWidth * depth);
    }
    return room;
  }

  static std::ptrdiff_t size(std::ptrdiff_t depth, std::ptrdiff_t columns, int gates = 1) {
    return panels(columns, kPanel<T>) * kPanel<T> * depth * gates;
  }
};

// Where vectors are of 64 bytes, half a panel is multiplied alone, of as many rows as keep a processor busy with that.
inline constexpr bool kHasNarrow = ELMAN_VECTOR_BYTES == 64;
inline constexpr int kLeastNarrowRows = kTileRows / 2;

// multiply_tile of 1 to kTileRows rows and of the panels that 1 to 2 kTilePanels vectors of columns lie in; null where
// so many rows leave no room for the panels.
template <class T, int kBlockLength>
struct TileKernels {
  using Kernel = decltype(&multiply_tile<T, 1, 1, kBlockLength>);

  Kernel at[kTileRows][2 * kTilePanels];

  constexpr TileKernels() : TileKernels(std::make_integer_sequence<int, kTileRows>()) {}

  template <int... kRow>
  explicit constexpr TileKernels(std::integer_sequence<int, kRow...>)
      : at{{of<kRow + 1, 1, kHasNarrow>(), of<kRow + 1, 1>(), of<kRow + 1, 2>(), of<kRow + 1, 2>(), of<kRow + 1, 3>(),
            of<kRow + 1, 3>(), of<kRow + 1, 4>(), of<kRow + 1, 4>()}...} {}

  template <int kRows, int kPanels, bool kIsNarrow = false>
  static constexpr Kernel of() {
    static_assert(kTilePanels == 4);
    if constexpr (kPanels == 1 || (kPanels == 2 && kRows <= 3) || kRows == 1) {
      return multiply_tile<T, kRows, kPanels, kBlockLength, (kIsNarrow && kRows >= kLeastNarrowRows)>;
    } else {
      return nullptr;
    }
  }
};
template <class T, int kBlockLength>
inline constexpr TileKernels<T, kBlockLength> kTileKernels;

// What of a panel's depth is taken at once. With AVX-512 it has to stay in the first-level cache while the rows pass;
// with AVX2, which asks for half as much in a cycle, the second level keeps up, and fewer tiles are begun anew.
inline constexpr int kPanelBytesAtOnce = (ELMAN_VECTOR_BYTES == 32 ? 96 : 24) << 10;
template <class T>
inline constexpr std::ptrdiff_t kDepthAtOnce = kPanelBytesAtOnce / (kPanel<T> * static_cast<int>(sizeof(T)));
inline constexpr std::ptrdiff_t kTilesAtOnce = 8;

// Panels that outgrow a second-level cache of 2 MiB are walked to and fro in turn: each walk begins with what the one
// before has left there. Smaller ones are walked one way, in which processors read ahead; those of several gates, whose
// strips are as large as a first-level cache, from there on.
inline constexpr std::size_t kWalkedToAndFro = std::size_t{3} << 19, kGatesWalkedToAndFro = std::size_t{32} << 10;

// Panels that outgrow a processor's share of the third-level cache come too late if they are asked for where they are
// read.
inline constexpr std::size_t kAskedForAhead = std::size_t{8} << 20;

// Rows are dealt out evenly, for a tile of 2 leaves most of the processor idle, and by twos where they are even and
// leave none such, as cells with gates take them; without a division for each tile.
class Tiles {
 public:
  explicit Tiles(std::ptrdiff_t rows)
      : count(panels(rows, kTileRows)),
        unit_(kTileRows > 4 && rows % 2 == 0 ? 2 : 1),
        height_(rows / unit_ / count),
        higher_(rows / unit_ % count) {}

  std::ptrdiff_t first_row(std::ptrdiff_t tile) const {
    return unit_ * (tile * height_ + (tile < higher_ ? tile : higher_));
  }

  const std::ptrdiff_t count;

 private:
  std::ptrdiff_t unit_, height_, higher_;
};

// Some panels of B one after another, which are taken together.
template <class T>
struct Strip {
  const T* panels;
  int vectors;  // of columns that exist
  std::ptrdiff_t depth;
  std::ptrdiff_t index, strips;  // which it is of those that the same tiles meet
  const T* next;                 // what is read after it, if that is to be asked for
};

// Sums of the tiles begin to end - 1 of A by a strip, those of a tile `apart` behind the tile's before: a part of the
// depth at a time, with start(first row, rows) before a tile's first part, finish(first row, rows, sums) after its
// last. While they are multiplied, memory is asked for what comes next: panels, or the parts of A that the next tiles
// read.
template <class T, int kBlockLength, class Start, class Finish>
[[gnu::always_inline]] inline void multiply_strip(const T* const* a, std::ptrdiff_t a_step, const Tiles& tiles,
                                                  std::ptrdiff_t begin, std::ptrdiff_t end, const Strip<T>& strip,
                                                  T* sums, std::ptrdiff_t apart, const Start& start,
                                                  const Finish& finish) {
  static_assert(kDepthAtOnce<T> % kBlockLength == 0);
  constexpr std::ptrdiff_t kWidth = kPanel<T>;
  const bool is_alone = tiles.count == 1;
  const std::ptrdiff_t depth_at_once = is_alone ? strip.depth : kDepthAtOnce<T>;
  const auto& kernels = kTileKernels<T, kBlockLength>.at;
  std::ptrdiff_t k = 0;
  do {
    const std::ptrdiff_t depth = strip.depth - k < depth_at_once ? strip.depth - k : depth_at_once;
    const bool is_last = k + depth == strip.depth;
    const T* const panel = strip.panels + k * kWidth;
    for (std::ptrdiff_t tile = begin; tile < end; ++tile) {
      const std::ptrdiff_t row = tiles.first_row(tile);
      const int height = static_cast<int>(tiles.first_row(tile + 1) - row);
      T* const of_tile = sums + (tile - begin) * apart;
      Ahead<T> ahead;
      if (is_alone) {
        // what comes next comes in time
      } else if (strip.next) {
        const T* const from = is_last ? strip.next : panel + depth * kWidth;
        ahead = Ahead<T>::share(from, depth * kWidth, tile - begin, end - begin, panels(depth, kBlockLength));
      } else if (a_step == kTileRows && depth > 0 && tile + kTilesAtOnce < tiles.count) {
        const T* const from = a[tiles.first_row(tile + kTilesAtOnce)] + k * a_step;
        ahead = Ahead<T>::share(from, depth * a_step, strip.index, strip.strips, panels(depth, kBlockLength));
      }
      if (k == 0) start(row, height);
      kernels[height - 1][strip.vectors - 1](a + row, k * a_step, a_step, panel, strip.depth * kWidth, depth, k > 0,
                                             of_tile, ahead);
      if (is_last) finish(row, height, of_tile);
    }
    k += depth;
  } while (k < strip.depth);
}

// The order in which strips of columns are taken. `walk` counts the products with the same B.
class Strips {
 public:
  template <class T>
  Strips(const Packed<T>& b, std::ptrdiff_t width, std::int64_t walk)
      : count(panels(b.columns, width)),
        width_(width),
        back_(walk % 2 != 0 && b.bytes() > (b.gates > 1 ? kGatesWalkedToAndFro : kWalkedToAndFro)) {}

  std::ptrdiff_t first_column(std::ptrdiff_t strip) const { return (back_ ? count - 1 - strip : strip) * width_; }

  const std::ptrdiff_t count;

 private:
  std::ptrdiff_t width_;
  bool back_;
};

template <class T>
bool asks_for_panels(const Packed<T>& b, const Tiles& tiles) {
  return tiles.count > 1 && b.bytes() > kAskedForAhead;
}

// Calls finish(TileSums) for the tiles of A B, where A's rows begin at a[row] and its columns are a_step apart; where
// finish has a begin(first row, rows, first column), that too, before a tile of one panel is multiplied (not by vectors
// of 16 bytes, for size). `walk` counts the products with the same B, for the way that its panels are walked.
template <class T, int kBlockLength, class Finish>
void multiply(const T* const* a, std::ptrdiff_t a_step, std::ptrdiff_t rows, const Packed<T>& b, const Finish& finish,
              std::int64_t walk = 0) {
  if (rows <= 0) return;
  constexpr std::ptrdiff_t kTileSize = kTileVectors * kLanes<T>;
  alignas(64) T sums[kTilesAtOnce * kTileSize];
  const int at_once = rows == 1 ? 4 : rows <= 3 ? 2 : 1;
  const Tiles tiles(rows);
  const Strips strips(b, at_once * kPanel<T>, walk);
  const bool asks = asks_for_panels(b, tiles);

  for (std::ptrdiff_t begin = 0; begin < tiles.count; begin += kTilesAtOnce) {
    const std::ptrdiff_t end = tiles.count - begin < kTilesAtOnce ? tiles.count : begin + kTilesAtOnce;
    for (std::ptrdiff_t i = 0; i < strips.count; ++i) {
      const std::ptrdiff_t first = strips.first_column(i);
      const std::ptrdiff_t width = b.columns - first < at_once * kPanel<T> ? b.columns - first : at_once * kPanel<T>;
      const int vectors = static_cast<int>(panels(width, kLanes<T>)), count = (vectors + 1) / 2;
      const T* const next = asks && i + 1 < strips.count ? b.panel(strips.first_column(i + 1), 0) : nullptr;
      multiply_strip<T, kBlockLength>(
          a, a_step, tiles, begin, end, {b.panels_at(first, 0, count), vectors, b.depth, i, strips.count, next}, sums,
          kTileSize,
          [&](std::ptrdiff_t row, int height) __attribute__((always_inline)) {
            if constexpr (ELMAN_VECTOR_BYTES > 16 && requires { finish.begin(row, height, first); }) {
              if (at_once == 1) finish.begin(row, height, first);
            }
          },
          [&](std::ptrdiff_t row, int height, const T* of_tile) __attribute__((always_inline)) {
            finish(TileSums<T>{row, height, first, width, of_tile, count * kPanel<T>});
          });
    }
  }
}

// The same with a panel of each gate side by side: calls finish(tiles, how many) with GateSums of rows and up to kPanel
// units, the sums of all their gates complete: with all tiles of some units, of few rows with those of several panels.
template <class T, int kGates, int kBlockLength, class Finish>
void multiply_gates(const T* const* a, std::ptrdiff_t a_step, std::ptrdiff_t rows, const Packed<T>& b,
                    const Finish& finish, std::int64_t walk = 0) {
  static_assert(kGates <= kTilePanels);
  if (rows <= 0) return;
  constexpr std::ptrdiff_t kWidth = kPanel<T>;
  constexpr std::ptrdiff_t kTileSize = kTileVectors * kLanes<T>;
  alignas(64) T sums[kTilesAtOnce * kGates * kTileSize];
  const int at_once = rows == 1 ? kGates : rows <= 3 ? 2 : 1;
  const Tiles tiles(rows);
  const Strips strips(b, kWidth, walk);
  const bool asks = asks_for_panels(b, tiles);
  const std::ptrdiff_t tiles_together = tiles.count > 1 ? 1 : kTilesAtOnce / rows;
  const GatePlaces<T, kGates> places(at_once);
  GateSums<T, kGates> done[kTilesAtOnce];
  std::ptrdiff_t count_done = 0;

  for (std::ptrdiff_t begin = 0; begin < tiles.count; begin += kTilesAtOnce) {
    const std::ptrdiff_t end = tiles.count - begin < kTilesAtOnce ? tiles.count : begin + kTilesAtOnce;
    for (std::ptrdiff_t i = 0; i < strips.count; ++i) {
      const std::ptrdiff_t first = strips.first_column(i);
      const std::ptrdiff_t units = b.columns - first < kWidth ? b.columns - first : kWidth;
      const int vectors = units > kLanes<T> ? 2 : 1;
      for (int gate = 0; gate < kGates; gate += at_once) {
        const int count = kGates - gate < at_once ? kGates - gate : at_once;
        const bool is_last = gate + count == kGates;
        const T* next = nullptr;
        if (asks && !is_last) next = b.panel(first, gate + count);
        if (asks && is_last && i + 1 < strips.count) next = b.panel(strips.first_column(i + 1), 0);
        multiply_strip<T, kBlockLength>(
            a, a_step, tiles, begin, end,
            {b.panels_at(first, gate, count), count == 1 ? vectors : 2 * count, b.depth, i, strips.count, next},
            sums + (count_done * kGates + gate / at_once) * kTileSize, kGates * kTileSize, [](std::ptrdiff_t, int) {},
            [](std::ptrdiff_t, int, const T*) {});
      }
      for (std::ptrdiff_t tile = begin; tile < end; ++tile) {
        const std::ptrdiff_t row = tiles.first_row(tile);
        done[count_done] = {row,   tiles.first_row(tile + 1) - row,        first,
                            units, sums + count_done * kGates * kTileSize, &places};
        ++count_done;
      }
      if (count_done >= tiles_together || i + 1 == strips.count) finish(done, count_done), count_done = 0;
    }
  }
}

}  // namespace
}  // namespace elman
