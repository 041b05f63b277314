// What a call of a layer over tensors is: its cell, its sizes, and what a program reads besides.
#pragma once

#include <array>
#include <numeric>
#include <vector>

#include "bindings/pieces.h"
#include "bindings/places.h"
#include "bindings/tensors.h"
#include "elman/engine.h"
#include "program/plan.h"

// A cell, one of the engine's or a program, and what a program reads besides: lists of tensors, those of a direction
// behind those of the one before.
struct AnyCell {
  elman::Cell cell = elman::Cell::tanh;
  const elman::Program* program = nullptr;
  nb::handle unit_inputs{}, step_inputs{}, row_inputs{};

  elman::CellSizes sizes() const { return program ? elman::sizes(*program) : elman::sizes(cell); }

  const elman::ProgramText& text() const {
    static const elman::ProgramText none;
    return program ? program->text() : none;
  }

  // Of one direction.
  std::size_t inputs() const {
    const int all = text().unit_inputs + text().step_inputs + text().row_inputs;
    return static_cast<std::size_t>(all);
  }

  template <class All>
  void add_inputs(All& operands, int directions) const {
    const elman::ProgramText& text = program->text();
    const auto add = [&](nb::handle tensors, int count, const char* expected) {
      require(length(nb::len(tensors)) == directions * count, expected);
      for (nb::handle tensor : nb::borrow<nb::list>(tensors)) {
        require(!tensor.is_none(), expected);
        operands.add(tensor, MemoryFormat::contiguous);
      }
    };
    add(unit_inputs, text.unit_inputs, "unit_inputs: expected as many tensors as the program has, of each direction");
    add(step_inputs, text.step_inputs, "step_inputs: expected as many tensors as the program has, of each direction");
    add(row_inputs, text.row_inputs, "row_inputs: expected as many tensors as the program has, of each direction");
  }
};

inline AnyCell any_cell(const elman::Program& program, nb::handle unit_inputs, nb::handle step_inputs,
                        nb::handle row_inputs) {
  return {.program = &program, .unit_inputs = unit_inputs, .step_inputs = step_inputs, .row_inputs = row_inputs};
}

// The dtype is the input's, whose sizes are good until Python runs.
inline TensorView viewed(nb::handle input) {
  TensorView view;
  require(TensorView::read(input, view), "input: expected a plain tensor");
  return view;
}

// A sequence: (steps, batch, features), packed (rows, features), or one step (batch, features). With places it is
// packed and its rows lie among padded ones.
class Call {
 public:
  Call(const TensorView& input, nb::handle batch_sizes, nb::handle places, int directions, std::int64_t units)
      : directions_(directions), units_(units) {
    require(directions == 1 || directions == 2, "directions: expected 1 or 2");
    require(input.dimensions() == 2 || input.dimensions() == 3, "input: expected 2 or 3 dimensions");
    is_padded_ = input.dimensions() == 3;
    is_one_step_ = !is_padded_ && batch_sizes.is_none();
    features_ = input.size(-1);
    rows_ = input.size(-2);
    steps_ = is_padded_ ? input.size(0) : 1;
    all_rows_ = steps_ * rows_;
    if (!batch_sizes.is_none()) read(batch_sizes, !places.is_none());
    if (!places.is_none()) read_places(places);
  }

  // Padded (steps, batch, features), of which the engine is given the pieces.
  Call(const TensorView& input, const Pieces& pieces, int directions, std::int64_t units)
      : Call(input, nb::none(), nb::none(), directions, units) {
    batch_sizes_ = pieces.batch_sizes;
    all_rows_ = std::accumulate(batch_sizes_.begin(), batch_sizes_.end(), std::int64_t{0});
    places_ = Places(pieces.places.data(), batch_sizes_, steps_, rows_);
  }

  elman::Sequence sequence(int direction) const {
    if (batch_sizes_.empty()) return {steps_, rows_, nullptr, direction == 1};
    return {length(batch_sizes_.size()), batch_sizes_.front(), batch_sizes_.data(), direction == 1};
  }
  std::int64_t features() const { return features_; }
  std::int64_t width() const { return directions_ * units_; }
  double work(int gates) const {  // multiplications
    return static_cast<double>(all_rows_) * static_cast<double>(width()) * static_cast<double>(features_ + units_) *
           gates;
  }
  bool is_one_step() const { return is_one_step_; }

  nb::object fresh_rows(nb::handle like, std::int64_t features) const {
    if (is_padded_) return like.attr(torch->new_empty)(steps_, rows_, features);
    return like.attr(torch->new_empty)(rows_, features);
  }
  nb::object fresh_states(nb::handle like) const {
    if (is_one_step_) return like.attr(torch->new_empty)(batch(), units_);
    return like.attr(torch->new_empty)(directions_, batch(), units_);
  }
  // `count` of them, behind one another where there are more than one.
  nb::object fresh_states(nb::handle like, int count) const {
    if (count == 1) return fresh_states(like);
    if (is_one_step_) return like.attr(torch->new_empty)(count, batch(), units_);
    return like.attr(torch->new_empty)(count, directions_, batch(), units_);
  }
  nb::object fresh_row_input(nb::handle like) const { return like.attr(torch->new_empty)(batch(), units_); }
  std::ptrdiff_t states_apart() const { return (is_one_step_ ? 1 : directions_) * batch() * units_; }

  // What the forward pass keeps: each direction's rows behind those of the other.
  nb::object fresh_kept(nb::handle like, int kept) const {
    return like.attr(torch->new_empty)(directions_, all_rows_, kept * units_);
  }
  template <class T>
  T* kept(const TensorView* numbers, int kept, int direction) const {
    if (!numbers) return nullptr;
    require(numbers->has_shape({directions_, all_rows_, kept * units_}), "kept: expected what the forward pass kept");
    return numbers->data<T>() + direction * all_rows_ * kept * units_;
  }

  // From feature `first` on, of `width`; none where there is no tensor.
  template <class T>
  elman::Rows<T> rows(const TensorView* numbers, std::int64_t width, std::int64_t first) const {
    if (!numbers) return {};
    require(is_padded_ ? numbers->has_shape({steps_, rows_, width}) : numbers->has_shape({rows_, width}),
            "expected rows of another shape");
    const std::ptrdiff_t feature = numbers->stride(-1);
    return {numbers->data<T>() + first * feature, is_padded_ ? numbers->stride(0) : 0, numbers->stride(-2), feature,
            places_.data()};
  }

  // Zeros where a new tensor's rows are no sequence's.
  template <class T>
  void fill_padding(const TensorView* numbers, std::int64_t width, int threads) const {
    places_.fill_padding(rows<T>(numbers, width, 0), width, threads);
  }

  // Those of a direction among contiguous states; null where there is no tensor.
  template <class T>
  T* states(const TensorView* numbers, int direction) const {
    if (!numbers) return nullptr;
    require(is_one_step_ ? numbers->has_shape({batch(), units_}) : numbers->has_shape({directions_, batch(), units_}),
            "expected states of another shape");
    return numbers->data<T>() + direction * batch() * units_;
  }
  template <class T>
  T* states(const TensorView* numbers, int direction, int count) const {
    if (count <= 1 || !numbers) return states<T>(numbers, direction);
    require(is_one_step_ ? numbers->has_shape({count, batch(), units_})
                         : numbers->has_shape({count, directions_, batch(), units_}),
            "expected states of another shape");
    return numbers->data<T>() + direction * batch() * units_;
  }

  // What a program reads by unit, by step and by row, of one direction.
  template <class T>
  T* unit_input(const TensorView* numbers) const {
    if (!numbers) return nullptr;
    require(numbers->has_shape({units_}), "expected an input by unit of another shape");
    return numbers->data<T>();
  }
  template <class T>
  elman::Rows<T> step_input(const TensorView* numbers) const {
    return rows<T>(numbers, units_, 0);
  }
  template <class T>
  T* row_input(const TensorView* numbers) const {
    if (!numbers) return nullptr;
    require(numbers->has_shape({batch(), units_}), "expected an input by row of another shape");
    return numbers->data<T>();
  }

 private:
  void read(nb::handle batch_sizes, bool has_places) {
    TensorView sizes;
    require(is_padded_ == has_places && TensorView::read(batch_sizes, sizes) && sizes.holds<std::int64_t>() &&
                sizes.dimensions() == 1 && sizes.size(0) > 0 && sizes.is_contiguous(),
            "batch_sizes: expected those of packed rows, int64, contiguous");
    const auto* const numbers = sizes.data<const std::int64_t>();
    if (!has_places) {
      batch_sizes_ = checked_copy(numbers, sizes.size(0), all_rows_);
      return;
    }
    batch_sizes_.assign(numbers, numbers + sizes.size(0));
    const std::int64_t left = rows_left(batch_sizes_, all_rows_);
    require(left >= 0, "batch_sizes: expected no more rows than are padded");
    all_rows_ -= left;
  }

  void read_places(nb::handle places) {
    TensorView view;
    require(!batch_sizes_.empty() && TensorView::read(places, view) && view.holds<std::int64_t>() &&
                view.has_shape({batch(), 2}) && view.is_contiguous(),
            "places: expected a step and a row for each packed sequence, int64, contiguous");
    places_ = Places(view.data<const std::int64_t>(), batch_sizes_, steps_, rows_);
  }

  std::int64_t batch() const { return batch_sizes_.empty() ? rows_ : batch_sizes_.front(); }

  int directions_;
  std::int64_t units_, features_, rows_, steps_;  // rows of a step, or all that are packed
  std::int64_t all_rows_;                         // that a step takes
  bool is_padded_, is_one_step_;
  std::vector<std::int64_t> batch_sizes_;
  Places places_;
};

constexpr std::size_t kMostInputs = elman::kMostUnitInputs + elman::kMostStepInputs + elman::kMostRowInputs;
template <class T, bool has_program>
using OperandsOf = Operands<T, has_program ? 12 + 2 * kMostInputs : 12>;

// A program's inputs of all directions, or their gradients.
template <class T>
struct InputsOf {
  std::array<T*, std::size_t{2} * elman::kMostUnitInputs> of_units;
  std::array<elman::Rows<T>, std::size_t{2} * elman::kMostStepInputs> of_steps;
  std::array<T*, std::size_t{2} * elman::kMostRowInputs> of_rows;

  // find(i) gives a view of the i-th, or null.
  template <class Find>
  InputsOf(const elman::ProgramText& text, const Call& sizes, int directions, const Find& find) {
    std::size_t i = 0;
    const auto fill = [&](auto& all, int count, const auto& of) {
      for (int at = 0; at < directions * count; ++at) all[static_cast<std::size_t>(at)] = of(find(i++));
    };
    fill(of_units, text.unit_inputs, [&](const TensorView* view) { return sizes.template unit_input<T>(view); });
    fill(of_steps, text.step_inputs, [&](const TensorView* view) { return sizes.template step_input<T>(view); });
    fill(of_rows, text.row_inputs, [&](const TensorView* view) { return sizes.template row_input<T>(view); });
  }

  // Those of a direction.
  auto units_of(const elman::ProgramText& text, int direction) const {
    return of_units.data() + direction * text.unit_inputs;
  }
  auto steps_of(const elman::ProgramText& text, int direction) const {
    return of_steps.data() + direction * text.step_inputs;
  }
  auto rows_of(const elman::ProgramText& text, int direction) const {
    return of_rows.data() + direction * text.row_inputs;
  }
};

// One step (batch, features) of a cell: a tuple of its states; none where the gate does not admit these or other sizes
// do not fit, true where `may_learn` and a tensor requires a gradient. With `reset` (batch) the flagged rows begin with
// zeros: none also in the place of true.
nb::object step_if_admitted(elman::Cell cell, int threads, nb::handle input, nb::handle h, nb::handle c,
                            nb::list weights, nb::handle input_size, nb::handle hidden_size, bool bias, bool may_learn,
                            nb::handle reset);
