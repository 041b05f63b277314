// The pointwise part of a step of a program, forward and backward.
#pragma once

#include "cells/program.h"
#include "recurrence/deltas.h"

namespace elman {
namespace {

// Where what it reads lies; of some rows, from the first of them on, that all have a step before this one, or none.
template <class T, class Call>
struct ProgramRows {
  const Call& call;
  const Schedule& schedule;
  ProgramCell cell;
  std::int64_t hidden_size;
  const T* zeros;

  // A state before a step.
  Operand<T> state(int state, std::int64_t iteration, std::int64_t row) const {
    if (row < schedule.rows_of(iteration - 1)) return new_state(state, schedule.step(iteration - 1), row);
    const T* const all = state == 0 ? call.initial_state : call.initial_cell_state;
    if (!all) return reading(zeros, 0);
    return reading(all + larger(state - 1, 0) * call.cell_states_apart + row * hidden_size, hidden_size);
  }

  // A state after a step, of those that are kept.
  Operand<T> new_state(int state, std::int64_t step, std::int64_t row) const {
    if (state == 0) return reading<T>(schedule.at(call.output, step, row), call.output.row_stride);
    return field(kept(step, row), field_of(state));
  }

  // The first field of what is kept of a step, another of them, and which one is a state.
  Operand<T> kept(std::int64_t step, std::int64_t row) const {
    const std::int64_t elements = cell.kept() * hidden_size;
    const Rows<const T> all{call.kept, schedule.batch() * elements, elements, 1};
    return reading(schedule.at(all, step, row), elements);
  }
  Operand<T> field(const Operand<T>& first, int index) const {
    return {first.data + index * hidden_size, first.row, 1};
  }
  int field_of(int state) const { return cell.kept() - cell.states() + state; }

  // What a call gives to read.
  Operand<T> input(Kind kind, int index, std::int64_t step, std::int64_t row) const {
    if (kind == Kind::row_input) return reading(call.inputs.of_rows[index] + row * hidden_size, hidden_size);
    const auto& rows = call.inputs.of_steps[index];
    return reading(schedule.at(rows, step, row), rows.row_stride);
  }

  // run(first row, rows) for those of a step's rows begin to end - 1 that have a step before, and for the others.
  template <class Run>
  void on_rows(std::int64_t iteration, std::int64_t begin, std::int64_t end, const Run& run) const {
    const std::int64_t cut = larger(begin, smaller(schedule.rows_of(iteration - 1), end));
    if (begin < cut) run(begin, cut - begin);
    if (cut < end) run(cut, end - cut);
  }
};

template <class T>
struct ProgramStep {
  ProgramRows<T, Forward<T>> rows;
  T* cells;  // further states, stepped in place where none are kept
  std::ptrdiff_t cells_apart;

  // A step's rows begin to end - 1, whose sums begin with row begin's.
  void take(std::int64_t iteration, std::int64_t begin, std::int64_t end, T* sums,
            const Interpreter<T>& interpreter) const {
    rows.on_rows(iteration, begin, end, [&](std::int64_t first, std::int64_t count) {
      run(iteration, first, count, sums + (first - begin) * rows.cell.deltas() * rows.hidden_size, interpreter);
    });
    const std::int64_t step = rows.schedule.step(iteration);
    const auto finish = [&](int state, T* final) {
      rows.schedule.copy_final(final, rows.hidden_size, iteration, begin, end, interpreter.units(),
                               [&](std::int64_t row) { return rows.new_state(state, step, row).data; });
    };
    finish(0, rows.call.final_state);
    if (!rows.call.kept || !rows.call.final_cell_state) return;
    for (int state = 1; state < rows.cell.states(); ++state) {
      finish(state, rows.call.final_cell_state + (state - 1) * rows.call.cell_states_apart);
    }
  }

  // A state before a step.
  Operand<T> state(int state, std::int64_t iteration, std::int64_t row) const {
    return state > 0 && !rows.call.kept ? in_place(state, row) : rows.state(state, iteration, row);
  }

 private:
  Operand<T> in_place(int state, std::int64_t row) const {
    return {cells + (state - 1) * cells_apart + row * rows.hidden_size, rows.hidden_size, 1};
  }

  [[gnu::noinline]] void run(std::int64_t iteration, std::int64_t begin, std::int64_t count, T* sums,
                             const Interpreter<T>& interpreter) const {
    const std::int64_t step = rows.schedule.step(iteration), units = rows.hidden_size;
    const std::int64_t width = rows.cell.deltas() * units;
    const Operand<T> kept = rows.kept(step, begin);
    const auto sum = [&](int index) { return Operand<T>{sums + index * units, width, 1}; };
    interpreter.run(count, [&](Kind kind, int index) -> Operand<T> {
      switch (kind) {
        case Kind::sum:
        case Kind::from_input: return sum(index);
        case Kind::from_hidden: return sum(rows.cell.apart() + index);
        case Kind::new_state:
          if (index == 0) return rows.new_state(0, step, begin);
          return kept.data ? rows.field(kept, rows.field_of(index)) : in_place(index, begin);
        case Kind::kept: return rows.field(kept, index);
        case Kind::state: return state(index, iteration, begin);
        default: return rows.input(kind, index, step, begin);
      }
    });
  }
};

template <class T>
struct ProgramStepBack {
  ProgramRows<T, Backward<T>> rows;
  const DeltaChunk<T>& chunk;
  T *hidden, *cells;  // gradients of states past the product
  std::ptrdiff_t cells_apart;

  // A step's rows begin to end - 1; what arrives at h_t begins with row begin's.
  void take(std::int64_t iteration, std::int64_t begin, std::int64_t end, T* arriving,
            const Interpreter<T>& interpreter) const {
    rows.on_rows(iteration, begin, end, [&](std::int64_t first, std::int64_t count) {
      run(iteration, first, count, arriving + (first - begin) * rows.hidden_size, interpreter);
    });
  }

 private:
  [[gnu::noinline]] void run(std::int64_t iteration, std::int64_t begin, std::int64_t count, T* arriving,
                             const Interpreter<T>& interpreter) const {
    const Backward<T>& call = rows.call;
    const ProgramCell& cell = rows.cell;
    const std::int64_t step = rows.schedule.step(iteration), units = rows.hidden_size;
    const Operand<T> kept = rows.kept(step, begin);
    T* const deltas = chunk.delta(chunk.position(iteration) + begin);
    const auto in_chunk = [&](int delta) { return Operand<T>{deltas + delta * units, chunk.row_distance, 1}; };
    const auto carried = [&](int state) {
      T* const states = state == 0 ? hidden : cells + (state - 1) * cells_apart;
      return Operand<T>{states + begin * units, units, 1};
    };
    interpreter.run(count, [&](Kind kind, int index) -> Operand<T> {
      switch (kind) {
        case Kind::kept: return rows.field(kept, index);
        case Kind::new_state:
          return index > 0 ? rows.field(kept, rows.field_of(index)) : rows.new_state(0, step, begin);
        case Kind::state: return rows.state(index, iteration, begin);
        case Kind::d_new_state: return index == 0 ? Operand<T>{arriving, units, 1} : carried(index);
        case Kind::d_state: return carried(index);
        case Kind::d_sum: return in_chunk(cell.apart() + index);
        case Kind::d_from_input: return in_chunk(index - (cell.gates() - cell.apart()));
        case Kind::d_from_hidden: return in_chunk(cell.apart() + index);
        case Kind::d_unit_input: return in_chunk(cell.deltas() + index);
        case Kind::d_row_input: return {call.d_row_inputs[index] + begin * units, units, 1};
        case Kind::d_step_input: {
          const auto& all = call.d_step_inputs[index];
          return {rows.schedule.at(all, step, begin), all.row_stride, 1};
        }
        default: return rows.input(kind, index, step, begin);
      }
    });
  }
};

}  // namespace
}  // namespace elman
