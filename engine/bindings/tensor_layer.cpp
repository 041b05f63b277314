// A layer over PyTorch's tensors of any strides.
#include <algorithm>
#include <array>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensors.h"
#include "elman/engine.h"

namespace {

using List = nb::typed<nb::list, nb::object>;
using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;

// A sequence: (steps, batch, features), packed (rows, features), or one step (batch, features).
class Call {
 public:
  Call(const TensorView& input, nb::handle batch_sizes, int directions, std::int64_t units)
      : directions_(directions), units_(units) {
    require(directions == 1 || directions == 2, "directions: expected 1 or 2");
    require(input.dimensions() == 2 || input.dimensions() == 3, "input: expected 2 or 3 dimensions");
    is_padded_ = input.dimensions() == 3;
    is_one_step_ = !is_padded_ && batch_sizes.is_none();
    features_ = input.size(-1);
    rows_ = input.size(-2);
    steps_ = is_padded_ ? input.size(0) : 1;
    if (!batch_sizes.is_none()) read(batch_sizes);
  }

  elman::Sequence sequence(int direction) const {
    if (batch_sizes_.empty()) return {steps_, rows_, nullptr, direction == 1};
    return {length(batch_sizes_.size()), batch_sizes_.front(), batch_sizes_.data(), direction == 1};
  }
  std::int64_t features() const { return features_; }
  std::int64_t width() const { return directions_ * units_; }
  double work() const {  // multiplications
    return static_cast<double>(steps_) * static_cast<double>(rows_) * static_cast<double>(width()) *
           static_cast<double>(features_ + units_);
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

  // From feature `first` on, of `width`; none where there is no tensor.
  template <class T>
  elman::Rows<T> rows(const TensorView* numbers, std::int64_t width, std::int64_t first) const {
    if (!numbers) return {};
    require(is_padded_ ? numbers->has_shape({steps_, rows_, width}) : numbers->has_shape({rows_, width}),
            "expected rows of another shape");
    const std::ptrdiff_t feature = numbers->stride(-1);
    return {numbers->data<T>() + first * feature, is_padded_ ? numbers->stride(0) : 0, numbers->stride(-2), feature};
  }

  // Those of a direction among contiguous states; null where there is no tensor.
  template <class T>
  T* states(const TensorView* numbers, int direction) const {
    if (!numbers) return nullptr;
    require(is_one_step_ ? numbers->has_shape({batch(), units_}) : numbers->has_shape({directions_, batch(), units_}),
            "expected states of another shape");
    return numbers->data<T>() + direction * batch() * units_;
  }

 private:
  void read(nb::handle batch_sizes) {
    TensorView sizes;
    require(!is_padded_ && TensorView::read(batch_sizes, sizes) && sizes.holds<std::int64_t>() &&
                sizes.dimensions() == 1 && sizes.size(0) > 0 && sizes.is_contiguous(),
            "batch_sizes: expected those of packed rows, int64, contiguous");
    batch_sizes_ = checked_copy(sizes.data<const std::int64_t>(), sizes.size(0), rows_);
  }

  std::int64_t batch() const { return batch_sizes_.empty() ? rows_ : batch_sizes_.front(); }

  int directions_;
  std::int64_t units_, features_, rows_, steps_;  // rows of a step, or all that are packed
  bool is_padded_, is_one_step_;
  std::vector<std::int64_t> batch_sizes_;
};

template <class T>
nb::tuple forward(const TensorView& x, elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                  nb::handle batch_sizes, nb::list weights, std::int64_t units) {
  const Call sizes(x, batch_sizes, directions, units);
  const std::size_t each = weights.size() / static_cast<std::size_t>(directions);
  require(each == 2 || each == 4, "weights: expected those of directions");
  const bool gives_up_gil = is_worth_the_gil(sizes.work());

  const nb::object output = sizes.fresh_rows(input, sizes.width());
  const nb::object h_n = sizes.is_one_step() ? nb::none() : sizes.fresh_states(input);
  Operands<T> operands(gives_up_gil);
  const std::size_t of_input = operands.add(input, false), of_h_0 = operands.add(h_0, true);
  const std::size_t first_weight = of_h_0 + 1;
  for (nb::handle weight : weights) operands.add(weight, true);
  operands.settle();

  const Result to_output(output), to_h_n(h_n);
  std::array<elman::Forward<T>, 2> calls;
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t w = first_weight + static_cast<std::size_t>(direction) * each;
    calls[static_cast<std::size_t>(direction)] = {
        .sequence = sizes.sequence(direction),
        .cell = cell,
        .threads = threads,
        .weights = {sizes.features(), units, operands.data(w, {units, sizes.features()}),
                    operands.data(w + 1, {units, units}), each == 4 ? operands.data(w + 2, {units}) : nullptr,
                    each == 4 ? operands.data(w + 3, {units}) : nullptr},
        .packed = nullptr,
        .input = sizes.template rows<const T>(operands.find(of_input), sizes.features(), 0),
        .initial_state = sizes.template states<const T>(operands.find(of_h_0), direction),
        .output = sizes.template rows<T>(to_output.view(), sizes.width(), direction * units),
        .final_state = sizes.template states<T>(to_h_n.view(), direction),
    };
  }
  {
    const ReleasedIf released(gives_up_gil);
    for (int direction = 0; direction < directions; ++direction) {
      elman::forward(calls[static_cast<std::size_t>(direction)]);
    }
  }
  return nb::make_tuple(output, h_n);
}

template <class T>
nb::tuple backward(const TensorView& x, elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                   nb::handle batch_sizes, nb::list matrices, std::int64_t units, nb::handle output,
                   nb::handle d_output, nb::handle d_h_n, nb::tuple needed) {
  const Call sizes(x, batch_sizes, directions, units);
  const std::size_t each = needed.size() == 2 + 4u * static_cast<unsigned>(directions) ? 4 : 2;
  require(needed.size() == 2 + each * static_cast<unsigned>(directions), "needed: expected one for each argument");
  require(matrices.size() == 2u * static_cast<unsigned>(directions), "matrices: expected those of directions");
  const auto needs = [&](std::size_t i) { return needed[i].is(Py_True); };
  const bool gives_up_gil = is_worth_the_gil(3 * sizes.work());

  nb::object gradients[2 + 4 * 2];
  for (nb::object& gradient : gradients) gradient = nb::none();
  if (needs(0)) gradients[0] = sizes.fresh_rows(input, sizes.features());
  if (needs(1)) gradients[1] = sizes.fresh_states(input);
  for (std::size_t w = 2; w < needed.size(); w += each) {
    if (needs(w)) gradients[w] = input.attr(torch->new_empty)(units, sizes.features());
    if (needs(w + 1)) gradients[w + 1] = input.attr(torch->new_empty)(units, units);
    for (std::size_t bias = w + 2; bias < w + each; ++bias) {
      if (needs(bias)) gradients[bias] = input.attr(torch->new_empty)(units);
    }
  }
  Operands<T> operands(gives_up_gil);
  const std::size_t of_input = operands.add(input, false), of_h_0 = operands.add(h_0, true);
  const std::size_t of_output = operands.add(output, true), of_d_output = operands.add(d_output, false);
  const std::size_t of_d_h_n = operands.add(d_h_n, true), first_matrix = of_d_h_n + 1;
  for (nb::handle matrix : matrices) operands.add(matrix, true);
  operands.settle();

  const std::int64_t features = sizes.features();
  const Result d_input(gradients[0]), d_h_0(gradients[1]);
  std::array<elman::Backward<T>, 2> calls;
  std::array<T*, 4> biases{};
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t at = static_cast<std::size_t>(direction), w = 2 + at * each;
    T* first = each == 4 ? Result(gradients[w + 2]).template data<T>() : nullptr;
    T* second = each == 4 ? Result(gradients[w + 3]).template data<T>() : nullptr;
    biases[2 * at] = first;
    biases[2 * at + 1] = second;
    calls[at] = {
        .sequence = sizes.sequence(direction),
        .cell = cell,
        .threads = threads,
        .weights = {features, units, operands.data(first_matrix + 2 * at, {units, features}),
                    operands.data(first_matrix + 2 * at + 1, {units, units}), nullptr, nullptr},
        .input = sizes.template rows<const T>(operands.find(of_input), features, 0),
        .initial_state = sizes.template states<const T>(operands.find(of_h_0), direction),
        .output = sizes.template rows<const T>(operands.find(of_output), sizes.width(), direction * units),
        .d_output = sizes.template rows<const T>(operands.find(of_d_output), sizes.width(), direction * units),
        .d_final_state = sizes.template states<const T>(operands.find(of_d_h_n), direction),
        .d_input = sizes.template rows<T>(d_input.view(), features, 0),
        .add_to_d_input = direction == 1,
        .d_initial_state = sizes.template states<T>(d_h_0.view(), direction),
        .d_input_weights = Result(gradients[w]).template data<T>(),
        .d_recurrent_weights = Result(gradients[w + 1]).template data<T>(),
        .d_bias = first ? first : second,
    };
  }
  {
    const ReleasedIf released(gives_up_gil);
    for (int direction = 0; direction < directions; ++direction) {
      elman::backward(calls[static_cast<std::size_t>(direction)]);
    }
    // the biases have equal gradients, but no two parameters may share one
    for (std::size_t bias = 0; bias < biases.size(); bias += 2) {
      if (biases[bias] && biases[bias + 1]) std::copy_n(biases[bias], units, biases[bias + 1]);
    }
  }
  nb::list results;
  for (std::size_t i = 0; i < needed.size(); ++i) results.append(gradients[i]);
  return nb::tuple(results);
}

// The dtype is the input's, whose sizes are good until Python runs.
TensorView viewed(nb::handle input) {
  TensorView view;
  require(TensorView::read(input, view), "input: expected a plain tensor");
  return view;
}

Tuple forward_tensors(elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                      nb::handle batch_sizes, List weights, std::int64_t hidden_size) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &forward<double> : &forward<float>;
  return Tuple(f(x, cell, threads, directions, input, h_0, batch_sizes, weights, hidden_size));
}

Tuple backward_tensors(elman::Cell cell, int threads, int directions, nb::handle input, nb::handle h_0,
                       nb::handle batch_sizes, List matrices, std::int64_t hidden_size, nb::handle output,
                       nb::handle d_output, nb::handle d_h_n, Tuple needed) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &backward<double> : &backward<float>;
  return Tuple(
      f(x, cell, threads, directions, input, h_0, batch_sizes, matrices, hidden_size, output, d_output, d_h_n, needed));
}

}  // namespace

void define_tensor_layer(nb::module_& m) {
  m.def("forward", &forward_tensors, "cell"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "weights"_a, "hidden_size"_a,
        "One layer over tensors: output and h_n, as elman.ops.layer returns them.");
  m.def("backward", &backward_tensors, "cell"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "matrices"_a, "hidden_size"_a, "output"_a, "d_output"_a.none(), "d_h_n"_a.none(),
        "needed"_a,
        "The gradients of input, h_0 and weights; None for those that are not needed.\n\n"
        "`matrices` are the weights without the biases.");
}
