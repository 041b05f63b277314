// A cell's mathematics with what the list of cells says of it, for the loops over steps.
#pragma once

#include <utility>

#include "elman/cells.h"
#include "simd/several.h"

namespace elman {
namespace {

template <class C, int of_gates, int of_apart, int of_states, int of_kept>
struct SizedCell : C {
  static constexpr int kGates = of_gates, kApart = of_apart, kStates = of_states, kKept = of_kept;
  static constexpr bool kIsProgram = false;
  // One gate's sums go through the output, several through rows of their own, side by side in the weights.
  static constexpr bool kThroughOutput = kGates == 1, kSideBySide = kGates > 1;
  // dL/da of all gates, of those apart W_ih's and W_hh's: W_ih's are the first kGates, W_hh's the last.
  static constexpr int kDeltas = kGates + kApart;
  static constexpr bool kCarriesHidden = !kThroughOutput && kStates == 1;  // past the product; else, if any, c

  // The same for loops that serve programs too, whose sizes are known at run time.
  static constexpr int gates() { return kGates; }
  static constexpr int apart() { return kApart; }
  static constexpr int states() { return kStates; }
  static constexpr int kept() { return kKept; }
  static constexpr int deltas() { return kDeltas; }
  static constexpr int unit_inputs() { return 0; }
  static constexpr int fed_back() { return 0; }
  static constexpr bool carries_hidden() { return kCarriesHidden; }
};

// {f(0), f(1), ...} as the fields of an aggregate, in order.
template <class Fields, int kCount, class F>
[[gnu::always_inline]] inline Fields fields_of(const F& f) {
  return [&]<int... i>(std::integer_sequence<int, i...>)
             __attribute__((always_inline)) { return Fields{f(i)...}; }(std::make_integer_sequence<int, kCount>{});
}

// f(0, first field), f(1, second), ... of an aggregate: of references where a cell hands it on, for one of values g++
// would build in memory and copy.
template <int kCount, class Fields, class F>
[[gnu::always_inline]] inline void for_each_field(const Fields& fields, const F& f) {
  static_assert(kCount == 4 || kCount == 5, "a cell with another number of fields takes a line here");
  if constexpr (kCount == 4) {
    const auto& [a, b, c, d] = fields;
    f(0, a), f(1, b), f(2, c), f(3, d);
  } else {
    const auto& [a, b, c, d, e] = fields;
    f(0, a), f(1, b), f(2, c), f(3, d), f(4, e);
  }
}

}  // namespace
}  // namespace elman
