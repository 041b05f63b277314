// A layer over PyTorch's tensors of any strides. Results are made first; then each tensor is looked at anew, and Python does
// not run between that look and the engine.
#include <algorithm>
#include <array>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/sizes.h"
#include "bindings/tensors.h"
#include "elman/engine.h"

namespace {

using List = nb::typed<nb::list, nb::object>;
using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;

template <class T>
TensorView view(nb::handle tensor) {
  TensorView view;
  require(TensorView::read(tensor, view) && view.holds<T>(), "expected a tensor of another kind or dtype");
  return view;
}

// Null for None.
template <class T>
T* contiguous(nb::handle tensor, std::initializer_list<std::int64_t> shape) {
  if (tensor.is_none()) return nullptr;
  const TensorView numbers = view<std::remove_const_t<T>>(tensor);
  require(numbers.has_shape(shape) && numbers.is_contiguous(), "expected a contiguous tensor of another shape");
  return numbers.data<T>();
}

nb::object made_contiguous(nb::handle tensor) {
  TensorView view;
  require(TensorView::read(tensor, view), "expected a plain tensor");
  return view.is_contiguous() ? nb::borrow(tensor) : tensor.attr(torch->contiguous)();
}

// Tensors, made contiguous where they are not and kept as long as this. Making them so runs Python.
template <class T>
class Contiguous {
 public:
  explicit Contiguous(nb::list tensors) {
    objects_.reserve(tensors.size());
    for (nb::handle tensor : tensors) objects_.push_back(nb::borrow(tensor));
    views_.resize(objects_.size());
    for (bool python_has_run = true; python_has_run;) {
      python_has_run = false;
      for (std::size_t i = 0; i < objects_.size(); ++i) {
        views_[i] = view<T>(objects_[i]);
        if (views_[i].is_contiguous()) continue;
        objects_[i] = objects_[i].attr(torch->contiguous)();
        python_has_run = true;
      }
    }
  }

  std::size_t size() const { return objects_.size(); }

  const T* data(std::size_t i, std::initializer_list<std::int64_t> shape) const {
    require(views_[i].has_shape(shape), "weights: expected other shapes");
    return views_[i].template data<const T>();
  }

 private:
  std::vector<nb::object> objects_;
  std::vector<TensorView> views_;
};

// A sequence: (steps, batch, features), packed (rows, features), or one step (batch, features).
template <class T>
class Call {
 public:
  Call(const TensorView& input, nb::handle batch_sizes, int directions, std::int64_t units)
      : input_(input), directions_(directions), units_(units) {
    require(directions == 1 || directions == 2, "directions: expected 1 or 2");
    require(input_.dimensions() == 2 || input_.dimensions() == 3, "input: expected 2 or 3 dimensions");
    is_padded_ = input_.dimensions() == 3;
    is_one_step_ = !is_padded_ && batch_sizes.is_none();
    sequence_ = {is_padded_ ? input_.size(0) : 1, input_.size(-2), nullptr, false};
    rows_ = sequence_.steps * sequence_.batch;
    if (batch_sizes.is_none()) return;
    const TensorView sizes = view<std::int64_t>(batch_sizes);
    require(!is_padded_ && sizes.dimensions() == 1 && sizes.size(0) > 0 && sizes.is_contiguous(),
            "batch_sizes: expected those of packed rows, contiguous");
    const std::int64_t* each = sizes.data<const std::int64_t>();
    sequence_ = {sizes.size(0), each[0], each, false};
    require(has_rows(each, sizes.size(0), rows_), "batch_sizes: expected a sum of as many as there are rows");
  }

  Call(nb::handle input, nb::handle batch_sizes, int directions, std::int64_t units)
      : Call(view<T>(input), batch_sizes, directions, units) {}

  elman::Sequence sequence(int direction) const {
    elman::Sequence sequence = sequence_;
    sequence.reverse = direction == 1;
    return sequence;
  }
  std::int64_t features() const { return input_.size(-1); }
  std::int64_t work() const { return rows_ * directions_ * units_ * (features() + units_); }
  bool is_one_step() const { return is_one_step_; }

  // Made by PyTorch: what was viewed before is no longer good.
  nb::object fresh_rows(nb::handle like, std::int64_t features) const {
    if (is_padded_) return like.attr(torch->new_empty)(sequence_.steps, sequence_.batch, features);
    return like.attr(torch->new_empty)(rows_, features);
  }
  nb::object fresh_states(nb::handle like) const {
    if (is_one_step_) return like.attr(torch->new_empty)(sequence_.batch, units_);
    return like.attr(torch->new_empty)(directions_, sequence_.batch, units_);
  }

  elman::Rows<const T> input() const { return rows<const T>(input_, features(), 0); }

  // From feature `first` on, of `width`; none for None.
  template <class Element>
  elman::Rows<Element> rows(nb::handle tensor, std::int64_t width, std::int64_t first) const {
    return tensor.is_none() ? elman::Rows<Element>{} : rows<Element>(view<T>(tensor), width, first);
  }

  // Null for None.
  template <class Element>
  Element* states(nb::handle tensor, int direction) const {
    Element* numbers = is_one_step_ ? contiguous<Element>(tensor, {sequence_.batch, units_})
                                    : contiguous<Element>(tensor, {directions_, sequence_.batch, units_});
    return numbers ? numbers + direction * sequence_.batch * units_ : nullptr;
  }

 private:
  template <class Element>
  elman::Rows<Element> rows(const TensorView& numbers, std::int64_t width, std::int64_t first) const {
    require(is_padded_ ? numbers.has_shape({sequence_.steps, sequence_.batch, width})
                       : numbers.has_shape({rows_, width}),
            "expected rows of another shape");
    const std::ptrdiff_t feature = numbers.stride(-1);
    return {numbers.data<Element>() + first * feature, is_padded_ ? numbers.stride(0) : 0, numbers.stride(-2), feature};
  }

  TensorView input_;
  std::int64_t directions_, units_, rows_;
  bool is_padded_, is_one_step_;
  elman::Sequence sequence_;
};

template <class T>
nb::tuple forward(const TensorView& x, elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input,
                  nb::object h_0, nb::object batch_sizes, nb::list all_weights, std::int64_t units) {
  nb::object output, h_n = nb::none();
  {
    const Call<T> sizes(x, batch_sizes, directions, units);
    output = sizes.fresh_rows(input, directions * units);
    if (!sizes.is_one_step()) h_n = sizes.fresh_states(input);
  }
  if (!h_0.is_none()) h_0 = made_contiguous(h_0);
  const Contiguous<T> weights(all_weights);
  const std::size_t each = weights.size() / static_cast<std::size_t>(directions);
  require(each == 2 || each == 4, "weights: expected those of directions");
  // Python has run and may have changed anything; from here on it does not run.
  const Call<T> sizes(input, batch_sizes, directions, units);
  std::array<elman::Forward<T>, 2> calls;
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t w = static_cast<std::size_t>(direction) * each;
    calls[static_cast<std::size_t>(direction)] = {
        .sequence = sizes.sequence(direction),
        .nonlinearity = nonlinearity,
        .threads = threads,
        .weights = {sizes.features(), units, weights.data(w, {units, sizes.features()}),
                    weights.data(w + 1, {units, units}), each == 4 ? weights.data(w + 2, {units}) : nullptr,
                    each == 4 ? weights.data(w + 3, {units}) : nullptr},
        .packed = nullptr,
        .input = sizes.input(),
        .initial_state = sizes.template states<const T>(h_0, direction),
        .output = sizes.template rows<T>(output, directions * units, direction * units),
        .final_state = sizes.template states<T>(h_n, direction),
    };
  }
  {
    const ReleasedForWork released(sizes.work());
    for (int direction = 0; direction < directions; ++direction) {
      elman::forward(calls[static_cast<std::size_t>(direction)]);
    }
  }
  return nb::make_tuple(output, h_n);
}

template <class T>
nb::tuple backward(const TensorView& x, elman::Nonlinearity nonlinearity, int threads, int directions,
                   nb::object input, nb::object h_0, nb::object batch_sizes, nb::list all_matrices,
                   std::int64_t units, nb::object output, nb::object d_output, nb::object d_h_n, nb::tuple needed) {
  const std::size_t each = needed.size() == 2 + 4u * static_cast<unsigned>(directions) ? 4 : 2;
  require(needed.size() == 2 + each * static_cast<unsigned>(directions), "needed: expected one for each argument");
  const auto needs = [&](std::size_t i) { return needed[i].is(Py_True); };

  nb::object gradients[2 + 4 * 2];
  for (nb::object& gradient : gradients) gradient = nb::none();
  {
    const Call<T> sizes(x, batch_sizes, directions, units);
    const std::int64_t features = sizes.features();
    if (needs(0)) gradients[0] = sizes.fresh_rows(input, features);
    if (needs(1)) gradients[1] = sizes.fresh_states(input);
    for (std::size_t w = 2; w < needed.size(); w += each) {
      if (needs(w)) gradients[w] = input.attr(torch->new_empty)(units, features);
      if (needs(w + 1)) gradients[w + 1] = input.attr(torch->new_empty)(units, units);
      for (std::size_t bias = w + 2; bias < w + each; ++bias) {
        if (needs(bias)) gradients[bias] = input.attr(torch->new_empty)(units);
      }
    }
  }
  if (!h_0.is_none()) h_0 = made_contiguous(h_0);
  if (!d_h_n.is_none()) d_h_n = made_contiguous(d_h_n);
  output = made_contiguous(output);
  const Contiguous<T> matrices(all_matrices);
  require(matrices.size() == 2u * static_cast<unsigned>(directions), "matrices: expected those of directions");
  // Python has run and may have changed anything; from here on it does not run.
  const Call<T> sizes(input, batch_sizes, directions, units);
  const std::int64_t features = sizes.features();
  std::array<elman::Backward<T>, 2> calls;
  std::array<T*, 4> biases{};
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t at = static_cast<std::size_t>(direction), w = 2 + at * each;
    T* first = each == 4 ? contiguous<T>(gradients[w + 2], {units}) : nullptr;
    T* second = each == 4 ? contiguous<T>(gradients[w + 3], {units}) : nullptr;
    biases[2 * at] = first;
    biases[2 * at + 1] = second;
    calls[at] = {
        .sequence = sizes.sequence(direction),
        .nonlinearity = nonlinearity,
        .threads = threads,
        .weights = {features, units, matrices.data(2 * at, {units, features}),
                    matrices.data(2 * at + 1, {units, units}), nullptr, nullptr},
        .input = sizes.input(),
        .initial_state = sizes.template states<const T>(h_0, direction),
        .output = sizes.template rows<const T>(output, directions * units, direction * units),
        .d_output = sizes.template rows<const T>(d_output, directions * units, direction * units),
        .d_final_state = sizes.template states<const T>(d_h_n, direction),
        .d_input = sizes.template rows<T>(gradients[0], features, 0),
        .add_to_d_input = direction == 1,
        .d_initial_state = sizes.template states<T>(gradients[1], direction),
        .d_input_weights = contiguous<T>(gradients[w], {units, features}),
        .d_recurrent_weights = contiguous<T>(gradients[w + 1], {units, units}),
        .d_bias = first ? first : second,
    };
  }
  {
    const ReleasedForWork released(3 * sizes.work());
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

Tuple forward_tensors(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input,
                          nb::object h_0, nb::object batch_sizes, List weights, std::int64_t hidden_size) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &forward<double> : &forward<float>;
  return Tuple(f(x, nonlinearity, threads, directions, input, h_0, batch_sizes, weights, hidden_size));
}

Tuple backward_tensors(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input,
                           nb::object h_0, nb::object batch_sizes, List matrices, std::int64_t hidden_size,
                           nb::object output, nb::object d_output, nb::object d_h_n, Tuple needed) {
  const TensorView x = viewed(input);
  const auto f = x.holds<double>() ? &backward<double> : &backward<float>;
  return Tuple(f(x, nonlinearity, threads, directions, input, h_0, batch_sizes, matrices, hidden_size, output,
                 d_output, d_h_n, needed));
}

}  // namespace

void define_tensor_layer(nb::module_& m) {
  m.def("forward", &forward_tensors, "nonlinearity"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "weights"_a, "hidden_size"_a,
        "One layer over tensors: output and h_n, as elman.ops.layer returns them.");
  m.def("backward", &backward_tensors, "nonlinearity"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "matrices"_a, "hidden_size"_a, "output"_a, "d_output"_a.none(), "d_h_n"_a.none(),
        "needed"_a,
        "The gradients of input, h_0 and weights; None for those that are not needed.\n\n"
        "`matrices` are the weights without the biases.");
}
