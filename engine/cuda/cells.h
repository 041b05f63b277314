// The engine's cells, for a thread that steps one unit of one row. A program becomes a class of the same form
// (ops/_cuda/_programs.py), compiled where it is needed.
#pragma once

#include "cells/elman.h"
#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/sized.h"
#include "cuda/device.h"
#include "program/operations.h"

namespace elman {
namespace {

// One lane of what cells are written over.
using Lane = Several<float, 1>;

// An array, of one where there are none.
template <class T, int kCount>
using Array = T[kCount > 0 ? kCount : 1];

// What a program is given besides its gates and states.
template <class Cell>
struct FurtherInputs {
  static constexpr int kCount = Cell::kUnitInputs + Cell::kStepInputs + Cell::kRowInputs;

  Array<Lane, Cell::kUnitInputs> unit_input;
  Array<Lane, Cell::kStepInputs> step_input;
  Array<Lane, Cell::kRowInputs> row_input;

  // Where the arrays lie, by unit, by step and by row; a unit's place in each kind.
  __device__ __forceinline__ void read(const float* const* from, std::int64_t of_units, std::int64_t of_steps,
                                       std::int64_t of_rows) {
#pragma unroll
    for (int i = 0; i < Cell::kUnitInputs; ++i) unit_input[i] = {{from[i][of_units]}};
    from += Cell::kUnitInputs;
#pragma unroll
    for (int i = 0; i < Cell::kStepInputs; ++i) step_input[i] = {{from[i][of_steps]}};
    from += Cell::kStepInputs;
#pragma unroll
    for (int i = 0; i < Cell::kRowInputs; ++i) row_input[i] = {{from[i][of_rows]}};
  }
};

// What a step is given and what it gives, in the words of elman/program.h. `sum` also has what of the gates apart comes
// from the input. A cell keeps kKept values of a row: its own, behind which lie all states but the first.
template <class Cell>
struct StepInputs : FurtherInputs<Cell> {
  Array<Lane, Cell::kGates> sum;
  Array<Lane, Cell::kApart> from_hidden;
  Array<Lane, Cell::kStates> state;
  Array<Lane, Cell::kForwardSums> row_sum;
};

template <class Cell>
struct StepResults {
  Array<Lane, Cell::kStates> new_state;
  Array<Lane, Cell::kOwnKept> kept;
};

template <class Cell>
struct BackwardInputs : FurtherInputs<Cell> {
  Array<Lane, Cell::kStates> state, new_state, d_new_state;
  Array<Lane, Cell::kOwnKept> kept;
  Array<Lane, Cell::kBackwardSums> row_sum;
};

// delta: of the gates apart W_ih's, then W_hh's of all. d_state of the first state only where it is carried.
template <class Cell>
struct BackwardResults {
  Array<Lane, Cell::kDeltas> delta;
  Array<Lane, Cell::kStates> d_state;
  Array<Lane, Cell::kUnitInputs> d_unit_input;
  Array<Lane, Cell::kStepInputs> d_step_input;
  Array<Lane, Cell::kRowInputs> d_row_input;
};

inline Lane square_root(const Lane& x) { return {{__fsqrt_rn(x.each[0])}}; }

// One of the engine's own.
template <class C>
struct OwnCell {
  static constexpr int kGates = C::kGates, kApart = C::kApart, kStates = C::kStates, kKept = C::kKept;
  static constexpr int kOwnKept = kKept - (kKept > 0 ? kStates - 1 : 0), kDeltas = C::kDeltas;
  static constexpr int kFedBack = 0, kUnitInputs = 0, kStepInputs = 0, kRowInputs = 0;
  static constexpr int kForwardSums = 0, kBackwardSums = 0, kForwardTerms = 0, kBackwardTerms = 0;
  static constexpr int kForwardLevels = 0, kBackwardLevels = 0;  // of sums over the units of a row
  static constexpr bool kIsRecurrent = true, kCarriesHidden = C::kCarriesHidden;

  static __device__ __forceinline__ void forward(const StepInputs<OwnCell>& from, StepResults<OwnCell>& to) {
    if constexpr (C::kThroughOutput) {
      to.new_state[0] = C::template activate<float>(from.sum[0]);
    } else {
      auto gates = fields_of<typename C::template Gates<Lane>, kGates>([&](int gate) { return from.sum[gate]; });
      const auto apart =
          fields_of<typename C::template Apart<Lane>, kApart>([&](int gate) { return from.from_hidden[gate]; });
      const Lane& before = from.state[kStates - 1];
      C::activate(gates, [](Lane& gate) { gate = sigma<float>(gate); }, [](Lane& gate) { gate = tanh<float>(gate); });
      const Lane combined = C::combine(gates, apart, before);
      C::step(gates, apart, kStates == 2 ? combined : before, tanh<float>(combined),
              [&](const Lane& hidden, const auto& kept) {
                to.new_state[0] = hidden;
                for_each_field<kKept>(kept, [&](int field, const Lane& value) {
                  (field < kOwnKept ? to.kept[field] : to.new_state[field - kOwnKept + 1]) = value;
                });
              });
    }
  }

  static __device__ __forceinline__ void backward(const BackwardInputs<OwnCell>& from, BackwardResults<OwnCell>& to) {
    if constexpr (C::kThroughOutput) {
      to.delta[0] = {{C::template differentiate<float>(from.d_new_state[0].each[0], from.new_state[0].each[0])}};
    } else {
      const auto kept = fields_of<typename C::template Kept<Lane>, kKept>(
          [&](int field) { return field < kOwnKept ? from.kept[field] : from.new_state[field - kOwnKept + 1]; });
      // what is carried of h is in d_new_state; adding -0 changes nothing
      const Lane carried = kCarriesHidden ? Lane{{-0.0f}} : from.d_new_state[kStates - 1];
      Lane squashed{};
      if constexpr (kStates == 2) squashed = tanh<float>(from.new_state[kStates - 1]);
      C::template step_back<float>(kept, from.state[kStates - 1], from.d_new_state[0], carried, squashed,
                                   [&](const auto& of_gates, const Lane& carried_on) {
                                     to.d_state[kStates - 1] = carried_on;
                                     for_each_field<kDeltas>(
                                         of_gates, [&](int field, const Lane& value) { to.delta[field] = value; });
                                   });
    }
  }
};

#define ELMAN_CELL(name, type, ...) using name##_cell = OwnCell<SizedCell<type, __VA_ARGS__>>;
ELMAN_CELLS(ELMAN_CELL)
#undef ELMAN_CELL

}  // namespace
}  // namespace elman
