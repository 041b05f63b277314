#include "bindings/pieces.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"

namespace {

using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;
using Numbers = nb::ndarray<nb::numpy, std::int64_t>;
using Lengths = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<2>, nb::device::cpu>;

struct Piece {
  std::int64_t sequence, start, length, place;
};

// Of one dimension, or of rows of so many columns.
Numbers array(std::vector<std::int64_t> numbers, std::size_t columns = 0) {
  auto* const kept = new std::vector<std::int64_t>(std::move(numbers));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
  if (columns > 0) return Numbers(kept->data(), {kept->size() / columns, columns}, owner);
  return Numbers(kept->data(), {kept->size()}, owner);
}

// None where a length is none of 0 to steps. Each is read once: another thread may write to them.
std::optional<std::vector<Piece>> pieces_of(const Cuts& cuts) {
  std::vector<Piece> pieces;
  pieces.reserve(static_cast<std::size_t>(cuts.batch));
  for (std::int64_t sequence = 0; sequence < cuts.batch; ++sequence) {
    const std::int64_t end = cuts.lengths ? cuts.lengths[sequence * cuts.length_stride] : cuts.steps;
    if (end < 0 || end > cuts.steps) return std::nullopt;
    std::int64_t start = 0;
    for (std::int64_t step = 1; cuts.flags && step < end; ++step) {
      if (!cuts.resets(sequence, step)) continue;
      pieces.push_back({sequence, start, step - start, 0});
      start = step;
    }
    if (end > 0) pieces.push_back({sequence, start, end - start, 0});
  }
  return pieces;
}

// The longest first, equal ones in the order in which they are: that of torch.nn.utils.rnn.pack_padded_sequence.
std::vector<std::int64_t> place_and_count(std::vector<Piece>& pieces, std::int64_t steps) {
  std::vector<std::int64_t> longer(static_cast<std::size_t>(steps) + 1);  // pieces of more than so many steps
  for (const Piece& piece : pieces) ++longer[static_cast<std::size_t>(piece.length) - 1];
  for (std::size_t t = longer.size() - 1; t-- > 0;) longer[t] += longer[t + 1];
  std::vector<std::int64_t> next(longer.begin() + 1, longer.end());
  next.push_back(0);
  for (Piece& piece : pieces) piece.place = next[static_cast<std::size_t>(piece.length) - 1]++;
  while (!longer.empty() && longer.back() == 0) longer.pop_back();
  return longer;
}

// None where each is one that begins with what came in.
std::optional<Tuple> as_tuple(std::optional<Pieces> pieces) {
  if (!pieces) throw std::invalid_argument("lengths: expected 0 to steps");
  if (pieces->are_as_given) return std::nullopt;
  return nb::make_tuple(array(std::move(pieces->places), 2), array(std::move(pieces->batch_sizes)),
                        array(std::move(pieces->carried_on)), array(std::move(pieces->last)), pieces->is_whole);
}

std::optional<Tuple> cut(std::optional<Lengths> lengths, std::optional<Flags> resets, std::int64_t steps,
                         std::int64_t batch) {
  Cuts cuts{steps, batch};
  if (lengths) {
    require(length(lengths->shape(0)) == batch, "lengths: expected (batch)");
    cuts.lengths = lengths->data();
    cuts.length_stride = lengths->stride(0);
  }
  if (resets) {
    require(length(resets->shape(0)) == steps && length(resets->shape(1)) == batch, "resets: expected (steps, batch)");
    cuts.flags = resets->data();
    cuts.step_stride = resets->stride(0);
    cuts.sequence_stride = resets->stride(1);
  }
  return as_tuple(cuts.pieces());
}

// NotImplemented where these are not as they should be.
nb::object cut_tensors(nb::handle lengths, nb::handle resets, std::int64_t steps, std::int64_t batch,
                       bool batch_first) {
  Cuts cuts{steps, batch};
  if (!cuts.read(lengths, resets, batch_first)) return nb::borrow(Py_NotImplemented);
  std::optional<Pieces> pieces = cuts.pieces();
  return pieces ? nb::cast(as_tuple(std::move(pieces))) : nb::borrow(Py_NotImplemented);
}

// Of one direction and one piece or sequence.
template <class T>
void copy_state(const TensorView& from, std::int64_t i, const TensorView& to, std::int64_t j, int direction) {
  const T* source = from.data<const T>() + direction * from.stride(0) + i * from.stride(1);
  T* const target = to.data<T>() + direction * to.stride(0) + j * to.stride(1);
  for (std::int64_t unit = 0; unit < to.size(2); ++unit) target[unit] = source[unit * from.stride(2)];
}

template <class T>
void fill_states(const Pieces& pieces, const TensorView& given, const TensorView& of_pieces) {
  std::fill_n(of_pieces.data<T>(), of_pieces.size(0) * of_pieces.size(1) * of_pieces.size(2), T(0));
  for (int direction = 0; direction < of_pieces.size(0); ++direction) {
    for (std::int64_t piece : pieces.carried_on) {
      copy_state<T>(given, pieces.sequence(piece), of_pieces, piece, direction);
    }
  }
}

template <class T>
void put_states_back(const Pieces& pieces, const TensorView& of_pieces, const TensorView* given, const TensorView& to) {
  const bool has_all = length(pieces.last.size()) == to.size(1);
  if (!has_all && !given) std::fill_n(to.data<T>(), to.size(0) * to.size(1) * to.size(2), T(0));
  for (int direction = 0; direction < to.size(0); ++direction) {
    for (std::int64_t i = 0; !has_all && given && i < to.size(1); ++i) copy_state<T>(*given, i, to, i, direction);
    for (std::int64_t piece : pieces.last) copy_state<T>(of_pieces, piece, to, pieces.sequence(piece), direction);
  }
}

template <class T>
void copy_rows_but(const TensorView& flags, const TensorView& from, const TensorView& to) {
  T* row = to.data<T>();
  for (std::int64_t i = 0; i < to.size(0); ++i, row += to.size(1)) {
    const bool is_flagged = flags.data<const bool>()[i * flags.stride(0)];
    const T* const source = from.data<const T>() + i * from.stride(0);
    for (std::int64_t unit = 0; unit < to.size(1); ++unit)
      row[unit] = is_flagged ? T(0) : source[unit * from.stride(1)];
  }
}

TensorView states_in(nb::handle tensor, std::int64_t directions, std::int64_t count, std::int64_t units) {
  TensorView view;
  require(TensorView::read(tensor, view) && (view.holds<float>() || view.holds<double>()) &&
              view.has_shape({directions, count, units}),
          "expected plain states of another shape");
  return view;
}

// Where the rows of an index lie in a tensor (first, second, features).
template <class T>
class Index {
 public:
  Index(const TensorView& numbers, const TensorView& index)
      : numbers_(numbers), index_(index.data<const std::int64_t>()), count_(index.size(0)) {
    require(numbers.dimensions() == 3, "expected 3 dimensions");
    require(index.holds<std::int64_t>() && index.dimensions() == 1 && index.is_contiguous(),
            "index: expected contiguous int64");
    const std::int64_t total = numbers.size(0) * numbers.size(1);
    require(std::all_of(index_, index_ + count_, [&](std::int64_t i) { return 0 <= i && i < total; }),
            "index: expected rows that are there");
  }

  std::int64_t count() const { return count_; }
  std::int64_t operator[](std::int64_t i) const { return index_[i]; }
  T* row(std::int64_t place) const {
    const std::int64_t second = numbers_.size(1);
    return numbers_.data<T>() + place / second * numbers_.stride(0) + place % second * numbers_.stride(1);
  }

 private:
  const TensorView& numbers_;
  const std::int64_t* index_;
  std::int64_t count_;
};

TensorView view_of(nb::handle tensor) {
  TensorView view;
  require(TensorView::read(tensor, view) && (view.holds<float>() || view.holds<double>() || view.holds<std::int64_t>()),
          "expected a plain tensor");
  return view;
}

// Copying takes as long as some multiplications.
constexpr double kMultiplicationsOfOneCopy = 8;

bool is_worth_the_gil_to_copy(std::int64_t rows, std::int64_t features) {
  return is_worth_the_gil(kMultiplicationsOfOneCopy * static_cast<double>(rows) * static_cast<double>(features));
}

template <class T>
nb::object take_rows(nb::handle input, const TensorView& index) {
  const std::int64_t features = view_of(input).size(-1);
  const bool gives_up_gil = is_worth_the_gil_to_copy(index.size(0), features);
  const nb::object output = input.attr(torch->new_empty)(index.size(0), features);
  Operands<T> operands(gives_up_gil);
  const TensorView& x = *operands.find(operands.add(input, MemoryFormat::any));
  operands.settle();
  require(x.size(-1) == features, "input: expected as many features as before");
  const Index<const T> from(x, index);
  T* row = Result<T>(output).data();
  const ReleasedIf released(gives_up_gil);
  for (std::int64_t at = 0; at < from.count(); ++at, row += features) {
    const T* source = from.row(from[at]);
    if (x.stride(2) == 1) {
      std::copy_n(source, features, row);
    } else {
      for (std::int64_t feature = 0; feature < features; ++feature) row[feature] = source[feature * x.stride(2)];
    }
  }
  return output;
}

template <class T>
nb::object put_rows(nb::handle rows, const TensorView& index, std::int64_t first, std::int64_t second) {
  const std::int64_t features = view_of(rows).size(-1);
  const bool gives_up_gil = is_worth_the_gil_to_copy(first * second, features);
  const nb::object output = rows.attr(torch->new_empty)(first, second, features);
  Operands<T> operands(gives_up_gil);
  const TensorView& x = *operands.find(operands.add(rows, MemoryFormat::contiguous));
  operands.settle();
  require(x.has_shape({index.size(0), features}), "rows: expected as many as the index has");
  const Result<T> to_output(output);
  const Index<T> to(*to_output.view(), index);
  std::vector<bool> is_put(static_cast<std::size_t>(first * second));
  const ReleasedIf released(gives_up_gil);
  for (std::int64_t at = 0; at < to.count(); ++at) {
    std::copy_n(x.data<const T>() + at * features, features, to.row(to[at]));
    is_put[static_cast<std::size_t>(to[at])] = true;
  }
  for (std::int64_t place = 0; features > 0 && place < first * second; ++place) {
    if (!is_put[static_cast<std::size_t>(place)]) std::fill_n(to.row(place), features, T(0));
  }
  return output;
}

}  // namespace

bool Cuts::read(nb::handle of_lengths, nb::handle of_resets, bool batch_first) {
  TensorView view;
  if (!of_lengths.is_none()) {
    if (!TensorView::read(of_lengths, view) || !view.holds<std::int64_t>() || !view.has_shape({batch})) return false;
    lengths = view.data<const std::int64_t>();
    length_stride = view.stride(0);
  }
  if (!of_resets.is_none()) {
    const int of_steps = batch_first ? 1 : 0, of_sequences = batch_first ? 0 : 1;
    if (!TensorView::read(of_resets, view) || !view.holds<bool>() || view.dimensions() != 2 ||
        view.size(of_steps) != steps || view.size(of_sequences) != batch) {
      return false;
    }
    flags = view.data<const bool>();
    step_stride = view.stride(of_steps);
    sequence_stride = view.stride(of_sequences);
  }
  return true;
}

std::optional<Pieces> Cuts::pieces() const {
  std::optional<std::vector<Piece>> found = pieces_of(*this);
  if (!found) return std::nullopt;
  Pieces pieces;
  pieces.is_whole = length(found->size()) == batch &&
                    std::all_of(found->begin(), found->end(), [&](auto& piece) { return piece.length == steps; });
  pieces.batch_sizes = place_and_count(*found, steps);
  pieces.places.resize(2 * found->size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    const Piece& piece = (*found)[i];
    const std::size_t at = 2 * static_cast<std::size_t>(piece.place);
    pieces.places[at] = piece.start;
    pieces.places[at + 1] = piece.sequence;
    if (piece.start == 0 && !resets(piece.sequence, 0)) pieces.carried_on.push_back(piece.place);
    if (i + 1 == found->size() || (*found)[i + 1].sequence != piece.sequence) pieces.last.push_back(piece.place);
  }
  pieces.are_as_given = pieces.is_whole && steps > 0 && length(pieces.carried_on.size()) == batch;
  return pieces;
}

nb::object states_of_pieces(const Pieces& pieces, nb::handle given) {
  if (given.is_none()) return nb::none();
  TensorView before;
  require(TensorView::read(given, before) && before.dimensions() == 3, "expected plain states");
  const std::int64_t directions = before.size(0), sequences = before.size(1), units = before.size(2);
  nb::object states = given.attr(torch->new_empty)(directions, pieces.count(), units);
  // only now: another thread may have given it other data
  const TensorView from = states_in(given, directions, sequences, units);
  const TensorView to = states_in(states, directions, length(pieces.count()), units);
  require(from.holds<float>() == to.holds<float>(), "expected states of one dtype");
  to.holds<float>() ? fill_states<float>(pieces, from, to) : fill_states<double>(pieces, from, to);
  return states;
}

nb::object states_of_sequences(const Pieces& pieces, nb::handle of_pieces, nb::handle given, std::int64_t sequences) {
  TensorView after;
  require(TensorView::read(of_pieces, after) && after.dimensions() == 3, "expected plain states");
  const std::int64_t directions = after.size(0), count = after.size(1), units = after.size(2);
  nb::object states = of_pieces.attr(torch->new_empty)(directions, sequences, units);
  const TensorView from = states_in(of_pieces, directions, count, units);
  const TensorView to = states_in(states, directions, sequences, units);
  TensorView before;
  if (!given.is_none()) before = states_in(given, directions, sequences, units);
  require(from.holds<float>() == to.holds<float>() && (given.is_none() || before.holds<float>() == to.holds<float>()),
          "expected states of one dtype");
  const auto put = to.holds<float>() ? &put_states_back<float> : &put_states_back<double>;
  put(pieces, from, given.is_none() ? nullptr : &before, to);
  return states;
}

bool are_flags(nb::handle flags, std::int64_t rows) {
  TensorView view;
  return TensorView::read(flags, view) && view.holds<bool>() && view.has_shape({rows});
}

nb::object restarted(nb::handle states, nb::handle flags) {
  if (states.is_none()) return nb::none();
  TensorView from, to, of_rows;
  require(TensorView::read(states, from) && from.dimensions() == 2, "expected plain states");
  nb::object result = states.attr(torch->new_empty)(from.size(0), from.size(1));
  // only now: another thread may have given them other data
  require(TensorView::read(states, from) && TensorView::read(result, to) && TensorView::read(flags, of_rows) &&
              to.dimensions() == 2 && from.has_shape({to.size(0), to.size(1)}) && of_rows.has_shape({to.size(0)}) &&
              of_rows.holds<bool>() && from.holds<float>() == to.holds<float>() &&
              from.holds<double>() == to.holds<double>(),
          "expected plain states of one dtype, and flags of their rows");
  to.holds<float>() ? copy_rows_but<float>(of_rows, from, to) : copy_rows_but<double>(of_rows, from, to);
  return result;
}

void define_pieces(nb::module_& m) {
  m.def("cut", &cut, "lengths"_a.noconvert().none(), "resets"_a.noconvert().none(), "steps"_a, "batch"_a,
        "Cut a padded batch into pieces, each from a sequence's first step or a reset to its end or the next reset.\n\n"
        "`lengths` (batch), None for all steps; `resets` (steps, batch), None for none. The result: the step and the "
        "sequence at which each piece begins, longest pieces first; the rows of each packed step; the pieces that "
        "begin with what came in; the last piece of each sequence that has any; whether each sequence is one piece of "
        "all steps. None where each is, and begins with what came in.");
  m.def("cut_tensors", &cut_tensors, "lengths"_a.none(), "resets"_a.none(), "steps"_a, "batch"_a, "batch_first"_a,
        "The same of plain tensors, `resets` (batch, steps) where the batch is first; NotImplemented where they are no "
        "such, or not of these sizes.");
  m.def(
      "take_rows",
      [](nb::handle input, nb::handle index) {
        return view_of(input).holds<float>() ? take_rows<float>(input, view_of(index))
                                             : take_rows<double>(input, view_of(index));
      },
      "input"_a, "index"_a,
      "The rows of a plain tensor (first, second, features) that an index of first * second names.");
  m.def(
      "put_rows",
      [](nb::handle rows, nb::handle index, std::int64_t first, std::int64_t second) {
        return view_of(rows).holds<float>() ? put_rows<float>(rows, view_of(index), first, second)
                                            : put_rows<double>(rows, view_of(index), first, second);
      },
      "rows"_a, "index"_a, "first"_a, "second"_a,
      "The inverse: rows (count, features) at their places in a new tensor (first, second, features), zeros "
      "elsewhere.");
}
