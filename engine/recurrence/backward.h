// BPTT for any cell, the forward loop in reverse order, a chunk of steps at a time:
//
//     d_t = (g_t + W_hh^T d_{t+1}) * cell'(h_t)        dx_t = W_ih^T d_t        dh_0 = W_hh^T d_1
//
// At a row's own last step dL/dh_n stands in the place of W_hh^T d_{t+1}. The chunk's d_t lie in one buffer, from
// which dx and the weight gradients are taken before the next chunk (weight_gradients.h).
#pragma once

#include "recurrence/gated_step_back.h"
#include "recurrence/layer_weights.h"
#include "recurrence/program_shares.h"
#include "recurrence/program_step.h"
#include "recurrence/weight_gradients.h"

namespace elman {
namespace {

template <class T, class Cell>
class BackwardPass {
 public:
  BackwardPass(const Backward<T>& call, Cell cell)
      : call_(call),
        cell_(cell),
        hidden_size_(call.weights.hidden_size),
        schedule_(call.sequence, nullptr),
        d_output_(call.d_output) {
    const std::int64_t batch = call.sequence.batch;
    std::int64_t total = call.sequence.steps * batch;
    const std::int64_t window = batch > kGroupRows ? batch : kGroupRows;
    const std::int64_t capacity = total < 2 * window ? total : 2 * window;

    Layout layout;
    const auto offsets = layout.reserve<std::int64_t>(call.sequence.batch_sizes ? call.sequence.steps : 0);
    const auto zeros = layout.reserve<T>(hidden_size_);
    // behind the deltas of gates lie those of a program's inputs by unit
    const std::int64_t deltas = (cell_.deltas() + cell_.unit_inputs()) * hidden_size_;
    const auto chunk = DeltaChunk<T>::reserve(layout, capacity, deltas);
    const auto tiles = GroupTiles<T>::reserve(layout, capacity, cell_.deltas() * hidden_size_);
    const std::int64_t states = batch * hidden_size_;
    cells_ = cell_.states() > 1 ? call.d_initial_cell_state : nullptr;
    const auto carried = layout.reserve<T>(cell_.carries_hidden() ? states : 0);
    const auto cells = layout.reserve<T>(cells_ ? 0 : (cell_.states() - 1) * states);
    layout.take(Slot::call);

    schedule_ = Schedule(call.sequence, fill_offsets(call.sequence, layout[offsets]));
    pack_weights();
    zeros_ = layout[zeros];
    for (std::int64_t i = 0; i < hidden_size_; ++i) layout[zeros][i] = 0;
    chunk_ = DeltaChunk<T>(layout, chunk, capacity, deltas);
    tiles_ = GroupTiles<T>(layout, tiles);
    cells_apart_ = cells_ ? call.cell_states_apart : states;
    if (!cells_) cells_ = layout[cells];
    for (int state = 0; state < cell_.states() - 1; ++state) {
      const T* const final =
          call.d_final_cell_state ? call.d_final_cell_state + state * call.cell_states_apart : nullptr;
      for (std::int64_t i = 0; i < states; ++i) cells_[state * cells_apart_ + i] = final ? final[i] : T(0);
    }
    hidden_ = layout[carried];
    for (std::int64_t i = 0; cell_.carries_hidden() && i < states; ++i) hidden_[i] = 0;
    if constexpr (Cell::kIsProgram) clear_row_inputs();
    if (!d_output_.data) d_output_ = {zeros_, 0, 0, 1};
  }

  void run() {
    const std::int64_t depth = cell_.gates() * (call_.weights.input_size + hidden_size_);
    const std::int64_t multiplications = schedule_.total_rows() * hidden_size_ * depth;
    const int threads = useful_threads(call_.threads, multiplications, tuning::kMultiplicationsOfThread);
    const std::size_t unit_bytes = sizeof(T) * static_cast<std::size_t>(recurrent_weights_.depth);
    const UnitShares shares(schedule_.batch(), hidden_size_, kPanel<T>, unit_bytes, threads);
    const RowGroups groups(schedule_, threads, unit_bytes * static_cast<std::size_t>(hidden_size_));

    // Steps that are not shared out are long enough for the other threads to fall asleep.
    const bool shared = shares.count() > 1 || groups.count() > 1;
    const int gradient_threads =
        shared ? threads : useful_threads(threads, multiplications / 4, tuning::kMultiplicationsOfThread);

    WeightGradients<T> gradients(call_, {cell_.gates(), cell_.apart(), cell_.unit_inputs()}, chunk_, tiles_);
    std::int64_t end = schedule_.steps();  // iterations still to be taken back
    while (end > 0) {
      const std::int64_t begin = chunk_.take_steps(schedule_, end);
      if (shares.count() > 1) {
        run_shares(begin, end, shares);
      } else {
        parallel(groups.count(), threads,
                 [&](std::int64_t group) { run_group(begin, end, groups.begin(group), groups.begin(group + 1)); });
      }
      if (call_.deltas) hand_out(begin, end);
      gradients.add_chunk(input_weights_, begin == 0, gradient_threads);
      end = begin;
    }
  }

 private:
  // To where the forward pass had its own: of large weights the caches hold one copy.
  void pack_weights() {
    const Timed timed(Phase::packing);
    const Weights<T>& weights = call_.weights;
    const std::int64_t inputs = call_.d_input.data ? weights.input_size : 0, rows = cell_.gates() * hidden_size_;
    const std::int64_t depth = weights.recurrent ? rows : 0;
    Layout layout;
    const auto input = layout.reserve<T>(Packed<T>::size(rows, inputs));
    const auto recurrent = layout.reserve<T>(Packed<T>::size(depth, hidden_size_));
    layout.take(Slot::weights);
    input_weights_ = {layout[input], rows, inputs};
    recurrent_weights_ = {layout[recurrent], depth, hidden_size_};
    const std::int64_t first_row = cell_.apart() ? rows - cell_.apart() * hidden_size_ : 0;
    pack_both<T>({weights.input, weights.input_size, 1, rows, inputs, layout[input], 1, first_row},
                 {weights.recurrent, hidden_size_, 1, depth, hidden_size_, layout[recurrent]}, call_.threads);
  }

  // Rows first to last - 1 through the iterations begin to end - 1, the last of them first.
  void run_group(std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
    const Timed timed(Phase::recurrent_steps);
    const Units units{0, hidden_size_};
    if constexpr (Cell::kIsProgram) {
      Layout layout;
      const auto arriving = layout.reserve<T>((last - first) * hidden_size_);
      const auto places = Interpreter<T>::reserve(layout, *cell_.plan, hidden_size_);
      layout.take(Slot::task);
      const Interpreter<T> interpreter(layout, places, *cell_.plan, units, call_.inputs.of_units);
      const ProgramStepBack<T> program = program_step();
      for (std::int64_t iteration = end - 1; iteration >= begin; --iteration) {
        take_step_back(iteration, first, last, units, layout[arriving]);
        program.take(iteration, first, smaller(schedule_.rows_of(iteration), last), layout[arriving], interpreter);
        differentiate_initial(iteration, first, last);
      }
    } else {
      for (std::int64_t iteration = end - 1; iteration >= begin; --iteration) {
        take_step_back(iteration, first, last, units), differentiate_initial(iteration, first, last);
      }
    }
  }

  // All rows, step by step, each step's units shared out; the pointwise part of a program waits for all of the products
  // where it reads those of other shares.
  void run_shares(std::int64_t begin, std::int64_t end, const UnitShares& shares) {
    const Timed timed(Phase::recurrent_steps);
    const std::int64_t batch = schedule_.batch();
    if constexpr (Cell::kIsProgram) {
      Layout layout;
      const auto arriving = layout.reserve<T>(batch * hidden_size_);
      ProgramShares<T> programs(shares, *cell_.plan, batch, hidden_size_);
      programs.reserve(layout);
      layout.take(Slot::task);
      programs.make_in(layout, call_.inputs.of_units);
      const int stages = programs.by_rows() ? 2 : 1;
      Stages::run(stages * (end - begin), shares.count(), [&](std::int64_t stage, int share) {
        const std::int64_t iteration = end - 1 - stage / stages;
        if (stage % stages == 0) take_share_back(iteration, shares[share], layout[arriving]);
        if (stage % stages == stages - 1) {
          const std::int64_t first = programs.first_row(share);
          const std::int64_t last = smaller(schedule_.rows_of(iteration), programs.last_row(share));
          program_step().take(iteration, first, last, layout[arriving] + first * hidden_size_, programs[share]);
        }
      });
    } else {
      Stages::run(end - begin, shares.count(),
                  [&](std::int64_t stage, int share) { take_share_back(end - 1 - stage, shares[share]); });
    }
    for (std::int64_t iteration = end - 1; iteration >= begin; --iteration) differentiate_initial(iteration, 0, batch);
  }

  void take_share_back(std::int64_t iteration, Units units, T* arriving = nullptr) {
    for (std::int64_t row = 0; row < schedule_.rows_of(iteration + 1); ++row) {
      prefetch(chunk_.delta(chunk_.position(iteration + 1) + row), cell_.deltas() * hidden_size_);
    }
    take_step_back(iteration, 0, schedule_.batch(), units, arriving);
  }

  // d_t of the rows, for some of their units; of a program what arrives at h_t, `arriving` (rows, hidden_size).
  void take_step_back(std::int64_t iteration, std::int64_t first, std::int64_t last, Units units,
                      [[maybe_unused]] T* arriving = nullptr) {
    const std::int64_t step = schedule_.step(iteration);
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    const std::int64_t continuing = smaller(schedule_.rows_of(iteration + 1), end);
    if (first >= end) return;

    const T* later[tuning::kMostRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      const std::int64_t at = chunk_.position(iteration) + row;
      if (row < continuing) later[row - first] = recurrent_delta(chunk_.position(iteration + 1) + row);
      if (units.begin > 0) continue;  // whoever has the first notes where the row's other factors lie
      chunk_.inputs[at] = schedule_.at(call_.input, step, row);
      chunk_.previous[at] = before(iteration, row);
      chunk_.d_inputs[at] = call_.d_input.data ? schedule_.at(call_.d_input, step, row) : nullptr;
    }
    const Span rows{first, continuing, end};
    if constexpr (Cell::kSideBySide) {
      step_back_gates(iteration, later, rows, units);
    } else {
      step_back(iteration, later, rows, units, arriving);
    }
  }

  // Rows first to end - 1. Those before `continuing` have a step after this one, whose deltas are later[0], later[1],
  // ...
  struct Span {
    std::int64_t first, continuing, end;
  };

  void step_back(std::int64_t iteration, const T* const* later, const Span& rows, Units units, T* arriving) const {
    const auto [first, continuing, end] = rows;
    const std::int64_t step = schedule_.step(iteration);
    const T* given[tuning::kMostRowsOfGroup];
    const T* hidden[tuning::kMostRowsOfGroup];
    T* const deltas = chunk_.delta(chunk_.position(iteration) + first);
    for (std::int64_t row = first; row < end; ++row) {
      given[row - first] = schedule_.at(d_output_, step, row);
      hidden[row - first] = schedule_.at(call_.output, step, row);
    }
    const auto finish = [&, first = first](std::int64_t row, std::ptrdiff_t at, int lanes, Vector<T> from_later) {
      const std::ptrdiff_t column = units.begin + at;
      const std::ptrdiff_t stride = d_output_.feature_stride;
      const Vector<T> gradient = load(given[row] + column * stride, stride, lanes) + from_later;
      if constexpr (Cell::kIsProgram) {
        const Vector<T> past =
            cell_.carries_hidden() ? load(hidden_ + (first + row) * hidden_size_ + column, 1, lanes) : Vector<T>{};
        store(arriving + row * hidden_size_ + column, lanes, cell_.carries_hidden() ? gradient + past : gradient);
      } else {
        Vector<T> output{};
        if constexpr (Cell::kReadsHidden) output = load(hidden[row] + column, 1, lanes);
        store(deltas + row * chunk_.row_distance + column, lanes, Cell::template differentiate<T>(gradient, output));
      }
    };
    const Packed<T> weights = recurrent_weights_.slice(units.begin, units.end);
    if (cell_.fed_back() > 0) {
      multiply<T, kBlock>(later, 1, continuing - first, weights, vector_by_vector(adds_to_cells(first, units.begin)),
                          iteration);
    } else {
      const auto ask = [&](std::ptrdiff_t row, std::ptrdiff_t column) __attribute__((always_inline)) {
        ask_for_row(given[row] + (units.begin + column) * d_output_.feature_stride);
        if constexpr (requires { requires Cell::kReadsHidden; }) ask_for_row(hidden[row] + units.begin + column);
      };
      multiply<T, kBlock>(later, 1, continuing - first, weights, asking(vector_by_vector(finish), ask), iteration);
    }
    for (std::int64_t row = cell_.fed_back() > 0 ? first : larger(first, continuing); row < end; ++row) {
      const T* const d_final = row >= continuing ? d_final_state(row) : zeros_;
      for (std::int64_t column = units.begin; column < units.end; column += kLanes<T>) {
        const int lanes = static_cast<int>(smaller(kLanes<T>, units.end - column));
        finish(row - first, column - units.begin, lanes, load(d_final + column, 1, lanes));
      }
    }
  }

  // The same of a cell with several gates.
  void step_back_gates(std::int64_t iteration, const T* const* later, const Span& span, Units units) const {
    const auto [first, continuing, end] = span;
    using StepBack = GatedStepBack<Cell, T>;
    const std::int64_t step = schedule_.step(iteration), width = Cell::kKept * hidden_size_;
    const Rows<const T> all{call_.kept, schedule_.batch() * width, width, 1};
    typename StepBack::Row rows[tuning::kMostRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row) {
      const T* last_state = before(iteration, row);
      if constexpr (Cell::kStates == 2) {
        const T* const c_0 = call_.initial_cell_state;
        last_state = row < schedule_.rows_of(iteration - 1)
                         ? schedule_.at(all, schedule_.step(iteration - 1), row) + (Cell::kKept - 1) * hidden_size_
                     : c_0 ? c_0 + row * hidden_size_
                           : zeros_;
      }
      rows[row - first] = {schedule_.at(d_output_, step, row),
                           d_output_.feature_stride,
                           schedule_.at(all, step, row),
                           last_state,
                           (Cell::kCarriesHidden ? hidden_ : cells_) + row * hidden_size_,
                           chunk_.delta(chunk_.position(iteration) + row)};
    }
    const StepBack step_back{hidden_size_};
    const auto take = [&](const TileSums<T>& tile) { step_back.take(tile, units.begin, rows); };
    const auto ask = [&](std::ptrdiff_t row, std::ptrdiff_t column)
                         __attribute__((always_inline)) { step_back.ask_for(rows[row], units.begin + column); };
    multiply<T, kBlock>(later, 1, continuing - first, recurrent_weights_.slice(units.begin, units.end),
                        asking(take, ask), iteration);
    for (std::int64_t row = larger(first, continuing); row < end; ++row) {
      for (std::int64_t column = units.begin; column < units.end; column += kPanel<T>) {
        const std::int64_t columns = smaller(kPanel<T>, units.end - column);
        take({row - first, 1, column - units.begin, columns, d_final_state(row) + column, kPanel<T>});
      }
    }
  }

  // dh_0 = W_hh^T d_1 of the rows whose first step this is.
  void differentiate_initial(std::int64_t iteration, std::int64_t first, std::int64_t last) {
    if (!call_.d_initial_state && cell_.fed_back() == 0) return;
    first = larger(first, schedule_.rows_of(iteration - 1));
    const std::int64_t end = smaller(schedule_.rows_of(iteration), last);
    if (first >= end) return;
    const T* from[tuning::kMostRowsOfGroup];
    for (std::int64_t row = first; row < end; ++row)
      from[row - first] = recurrent_delta(chunk_.position(iteration) + row);
    if (cell_.fed_back() > 0) {
      multiply<T, kBlock>(from, 1, end - first, recurrent_weights_, vector_by_vector(adds_to_cells(first, 0)));
      for (std::int64_t i = first * hidden_size_; call_.d_initial_state && i < end * hidden_size_; ++i) {
        call_.d_initial_state[i] = cell_.carries_hidden() ? hidden_[i] : T(0);
      }
      return;
    }
    multiply<T, kBlock>(from, 1, end - first, recurrent_weights_,
                        vector_by_vector([&](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
                          const std::ptrdiff_t at = (first + row) * hidden_size_ + column;
                          if (cell_.carries_hidden()) sums += load(hidden_ + at, 1, lanes);
                          store(call_.d_initial_state + at, lanes, sums);
                        }));
  }

  // What W_hh^T d gives of the rows from `first` and the units from `unit` on, to a program's state that is fed back
  // and not the output.
  auto adds_to_cells(std::int64_t first, std::int64_t unit) const {
    T* const to = cells_ + (cell_.fed_back() - 1) * cells_apart_ + first * hidden_size_ + unit;
    return [this, to](std::ptrdiff_t row, std::ptrdiff_t column, int lanes, Vector<T> sums) {
      T* const at = to + row * hidden_size_ + column;
      store(at, lanes, load(at, 1, lanes) + sums);
    };
  }

  // The deltas of the iterations begin to end - 1, to where they are wanted.
  void hand_out(std::int64_t begin, std::int64_t end) const {
    const std::int64_t width = cell_.deltas() * hidden_size_;
    const Rows<T> to{call_.deltas, schedule_.batch() * width, width, 1};
    for (std::int64_t iteration = begin; iteration < end; ++iteration) {
      const std::int64_t position = chunk_.position(iteration), step = schedule_.step(iteration);
      for (std::int64_t row = 0; row < schedule_.rows_of(iteration); ++row) {
        __builtin_memcpy(schedule_.at(to, step, row), chunk_.delta(position + row),
                         sizeof(T) * static_cast<std::size_t>(width));
      }
    }
  }

  ProgramStepBack<T> program_step() const {
    return {{call_, schedule_, cell_, hidden_size_, zeros_}, chunk_, hidden_, cells_, cells_apart_};
  }

  void clear_row_inputs() const {
    for (int input = 0; call_.d_row_inputs && input < cell_.plan->row_inputs; ++input) {
      T* const to = call_.d_row_inputs[input];
      for (std::int64_t i = 0; to && i < schedule_.batch() * hidden_size_; ++i) to[i] = 0;
    }
  }

  const T* recurrent_delta(std::int64_t position) const {
    return chunk_.delta(position) + cell_.apart() * hidden_size_;
  }

  // What W_hh multiplied: the state that is fed back, before a step.
  const T* before(std::int64_t iteration, std::int64_t row) const {
    if constexpr (Cell::kIsProgram) return program_step().rows.state(cell_.fed_back(), iteration, row).data;
    return row < schedule_.rows_of(iteration - 1) ? schedule_.at(call_.output, schedule_.step(iteration - 1), row)
                                                  : initial(row);
  }

  const T* initial(std::int64_t row) const {
    return call_.initial_state ? call_.initial_state + row * hidden_size_ : zeros_;
  }

  const T* d_final_state(std::int64_t row) const {
    return call_.d_final_state ? call_.d_final_state + row * hidden_size_ : zeros_;
  }

  const Backward<T>& call_;
  [[no_unique_address]] Cell cell_;
  std::int64_t hidden_size_;
  Schedule schedule_;
  Packed<T> input_weights_, recurrent_weights_;
  const T* zeros_;
  DeltaChunk<T> chunk_;
  GroupTiles<T> tiles_;
  Rows<const T> d_output_;
  // dL/dh past the product, dL/dc (batch, hidden_size) of the step taken back last, of a program of each further state
  T *hidden_ = nullptr, *cells_ = nullptr;
  std::ptrdiff_t cells_apart_ = 0;
};

}  // namespace
}  // namespace elman
