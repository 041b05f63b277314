// Padded batches cut into pieces: where each piece lies among the padded rows, longest pieces first, and rows moved
// there and back.
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensors.h"

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

// What a batch is cut by. Good until Python runs again.
struct Cuts {
  std::int64_t steps, batch;
  const std::int64_t* lengths = nullptr;  // null: all steps
  std::ptrdiff_t length_stride = 1;
  const bool* flags = nullptr;  // null: none
  std::ptrdiff_t step_stride = 0, sequence_stride = 0;

  bool resets(std::int64_t sequence, std::int64_t step) const {
    return flags && flags[step * step_stride + sequence * sequence_stride];
  }
};

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

// None where each sequence is one piece from the first step to the last that begins with what came in.
std::optional<Tuple> arranged(std::vector<Piece> pieces, const Cuts& cuts) {
  const bool is_whole =
      length(pieces.size()) == cuts.batch &&
      std::all_of(pieces.begin(), pieces.end(), [&](auto& piece) { return piece.length == cuts.steps; });
  std::vector<std::int64_t> batch_sizes = place_and_count(pieces, cuts.steps);
  std::vector<std::int64_t> places(2 * pieces.size());
  std::vector<std::int64_t> carried_on, last;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    const std::size_t at = 2 * static_cast<std::size_t>(piece.place);
    places[at] = piece.start;
    places[at + 1] = piece.sequence;
    if (piece.start == 0 && !cuts.resets(piece.sequence, 0)) carried_on.push_back(piece.place);
    if (i + 1 == pieces.size() || pieces[i + 1].sequence != piece.sequence) last.push_back(piece.place);
  }
  if (is_whole && cuts.steps > 0 && length(carried_on.size()) == cuts.batch) return std::nullopt;
  return nb::make_tuple(array(std::move(places), 2), array(std::move(batch_sizes)), array(std::move(carried_on)),
                        array(std::move(last)), is_whole);
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
  std::optional<std::vector<Piece>> pieces = pieces_of(cuts);
  if (!pieces) throw std::invalid_argument("lengths: expected 0 to steps");
  return arranged(std::move(*pieces), cuts);
}

// NotImplemented where these are not as they should be.
nb::object cut_tensors(nb::handle lengths, nb::handle resets, std::int64_t steps, std::int64_t batch,
                       bool batch_first) {
  nb::object refused = nb::borrow(Py_NotImplemented);
  Cuts cuts{steps, batch};
  TensorView view;
  if (!lengths.is_none()) {
    if (!TensorView::read(lengths, view) || !view.holds<std::int64_t>() || !view.has_shape({batch})) return refused;
    cuts.lengths = view.data<const std::int64_t>();
    cuts.length_stride = view.stride(0);
  }
  if (!resets.is_none()) {
    const int of_steps = batch_first ? 1 : 0, of_sequences = batch_first ? 0 : 1;
    if (!TensorView::read(resets, view) || !view.holds<bool>() || view.dimensions() != 2 ||
        view.size(of_steps) != steps || view.size(of_sequences) != batch) {
      return refused;
    }
    cuts.flags = view.data<const bool>();
    cuts.step_stride = view.stride(of_steps);
    cuts.sequence_stride = view.stride(of_sequences);
  }
  std::optional<std::vector<Piece>> pieces = pieces_of(cuts);
  return pieces ? nb::cast(arranged(std::move(*pieces), cuts)) : refused;
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
  const TensorView& x = *operands.find(operands.add(input, false));
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
  const TensorView& x = *operands.find(operands.add(rows, true));
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
