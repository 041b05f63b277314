// A layer over PyTorch's tensors of any strides. Each is looked at anew at every call.
#include "bindings/tensors.h"

#include <array>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/sizes.h"
#include "elman/engine.h"

namespace {

// What there is to know of PyTorch, told once by elman._gate.
struct PyTorch {
  DLPackExchange* exchange;
  nb::object tensor, parameter;  // the types
  nb::object is_neg;             // the method
  nb::str new_empty = nb::str("new_empty"), contiguous = nb::str("contiguous"), clone = nb::str("clone");
};
const PyTorch* torch = nullptr;  // never freed: threads may outlive the module

void use_tensors(nb::capsule exchange, nb::object tensor, nb::object parameter) {
  auto* functions = static_cast<DLPackExchange*>(exchange.data("dlpack_exchange_api"));
  require(functions->version.major == 1, "exchange: expected DLPack 1");
  torch = new PyTorch{functions, tensor, parameter, tensor.attr("is_neg")};
}

}  // namespace

bool TensorView::read(nb::handle object, TensorView& view) {
  const nb::handle type = object.type();
  if (!torch || !(type.is(torch->tensor) || type.is(torch->parameter))) return false;
  if (torch->exchange->view(object.ptr(), &view.view_) != 0) {  // sparse, nested, a wrapper, on another device
    PyErr_Clear();
    return false;
  }
  constexpr std::int32_t kCpu = 1;
  return view.view_.device.type == kCpu && view.view_.type.lanes == 1 && (view.view_.data || view.is_empty());
}

bool TensorView::has_shape(std::initializer_list<std::int64_t> shape) const {
  if (static_cast<std::size_t>(dimensions()) != shape.size()) return false;
  const std::int64_t* size = view_.shape;
  for (const std::int64_t expected : shape) {
    if (*size++ != expected) return false;
  }
  return true;
}

bool TensorView::is_contiguous() const {
  std::int64_t expected = 1;
  for (int i = dimensions(); i-- > 0; expected *= size(i)) {
    if (size(i) != 1 && stride(i) != expected) return is_empty();
  }
  return true;
}

bool TensorView::is_empty() const {
  for (int i = 0; i < dimensions(); ++i) {
    if (size(i) == 0) return true;
  }
  return false;
}

namespace {

// Whether the numbers of a tensor are those in its memory, too: not so in a view of them as negative.
bool is_plain(nb::handle tensor, TensorView& view) {
  return TensorView::read(tensor, view) && torch->is_neg(tensor).is(Py_False);
}

template <class T>
bool are_weights(nb::list weights, std::int64_t input_size, std::int64_t hidden_size, int layers, int directions,
                 bool bias) {
  const int each = bias ? 4 : 2;
  if (length(weights.size()) != std::int64_t{layers} * directions * each) return false;
  int index = 0;
  for (nb::handle weight : weights) {
    TensorView view;
    if (!is_plain(weight, view) || !view.holds<T>()) return false;
    const int kind = index % each;
    const std::int64_t features = index < directions * each ? input_size : directions * hidden_size;
    if (kind == 0 && !view.has_shape({hidden_size, features})) return false;
    if (kind == 1 && !view.has_shape({hidden_size, hidden_size})) return false;
    if (kind > 1 && !view.has_shape({hidden_size})) return false;
    ++index;
  }
  return true;
}

template <class T>
bool admits(const TensorView& x, nb::handle h_0, nb::list weights, std::int64_t input_size, std::int64_t hidden_size,
            int layers, int directions, bool bias) {
  TensorView h;
  return x.holds<T>() && (h_0.is_none() || (is_plain(h_0, h) && h.holds<T>())) &&
         are_weights<T>(weights, input_size, hidden_size, layers, directions, bias);
}

bool admits(nb::handle input, nb::handle h_0, nb::list weights, std::int64_t input_size, std::int64_t hidden_size,
            int layers, int directions, bool bias) {
  TensorView x;
  if (!is_plain(input, x) || x.dimensions() < 1 || x.size(-1) != input_size || hidden_size < 1) return false;
  return admits<float>(x, h_0, weights, input_size, hidden_size, layers, directions, bias) ||
         admits<double>(x, h_0, weights, input_size, hidden_size, layers, directions, bias);
}

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

bool is_double(nb::handle tensor) {
  TensorView view;
  return TensorView::read(tensor, view) && view.holds<double>();
}

nb::object made_contiguous(nb::handle tensor) {
  TensorView view;
  if (tensor.is_none() || (TensorView::read(tensor, view) && view.is_contiguous())) return nb::borrow(tensor);
  return tensor.attr(torch->contiguous)();
}

// A sequence: (steps, batch, features), packed (rows, features), or one step (batch, features).
template <class T>
class Call {
 public:
  Call(nb::handle input, nb::handle batch_sizes, int directions, std::int64_t units)
      : input_(view<T>(input)), directions_(directions), units_(units) {
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

  elman::Sequence sequence(int direction) const {
    elman::Sequence sequence = sequence_;
    sequence.reverse = direction == 1;
    return sequence;
  }
  std::int64_t features() const { return input_.size(-1); }
  std::int64_t units() const { return units_; }
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

  // From feature `first` on, of `width`; none for None.
  template <class Element>
  elman::Rows<Element> rows(nb::handle tensor, std::int64_t width, std::int64_t first = 0) const {
    if (tensor.is_none()) return {};
    const TensorView numbers = view<T>(tensor);
    require(is_padded_ ? numbers.has_shape({sequence_.steps, sequence_.batch, width})
                       : numbers.has_shape({rows_, width}),
            "expected rows of another shape");
    const std::ptrdiff_t feature = numbers.stride(-1);
    return {numbers.data<Element>() + first * feature, is_padded_ ? numbers.stride(0) : 0, numbers.stride(-2), feature};
  }

  // Null for None.
  template <class Element>
  Element* states(nb::handle tensor, int direction) const {
    Element* numbers = is_one_step_ ? contiguous<Element>(tensor, {sequence_.batch, units_})
                                    : contiguous<Element>(tensor, {directions_, sequence_.batch, units_});
    return numbers ? numbers + direction * sequence_.batch * units_ : nullptr;
  }

 private:
  TensorView input_;
  std::int64_t directions_, units_, rows_;
  bool is_padded_, is_one_step_;
  elman::Sequence sequence_;
};

using Objects = std::vector<nb::object>;

Objects all_contiguous(nb::sequence tensors) {
  Objects contiguous;
  for (nb::handle tensor : tensors) contiguous.push_back(made_contiguous(tensor));
  return contiguous;
}

template <class T>
nb::tuple forward(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input, nb::object h_0,
                  nb::object batch_sizes, nb::sequence all_weights) {
  const Objects weights = all_contiguous(all_weights);
  const nb::object initial = made_contiguous(h_0);
  const bool bias = weights.size() == 4u * static_cast<unsigned>(directions);
  require(bias || weights.size() == 2u * static_cast<unsigned>(directions), "weights: expected those of directions");
  const std::int64_t units = view<T>(weights[1]).size(0);

  nb::object output, h_n = nb::none();
  {
    const Call<T> sizes(input, batch_sizes, directions, units);
    output = sizes.fresh_rows(input, directions * units);
    if (!sizes.is_one_step()) h_n = sizes.fresh_states(input);
  }
  // Python has run and may have changed anything: from here on it does not.
  const Call<T> sizes(input, batch_sizes, directions, units);
  std::array<elman::Forward<T>, 2> calls;
  for (int direction = 0; direction < directions; ++direction) {
    const nb::object* of_direction = &weights[static_cast<std::size_t>(direction * (bias ? 4 : 2))];
    calls[static_cast<std::size_t>(direction)] = {
        .sequence = sizes.sequence(direction),
        .nonlinearity = nonlinearity,
        .threads = threads,
        .weights = {sizes.features(), units, contiguous<const T>(of_direction[0], {units, sizes.features()}),
                    contiguous<const T>(of_direction[1], {units, units}),
                    bias ? contiguous<const T>(of_direction[2], {units}) : nullptr,
                    bias ? contiguous<const T>(of_direction[3], {units}) : nullptr},
        .packed = nullptr,
        .input = sizes.template rows<const T>(input, sizes.features()),
        .initial_state = sizes.template states<const T>(initial, direction),
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
nb::list backward(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input, nb::object h_0,
                  nb::object batch_sizes, nb::sequence all_matrices, nb::object output_, nb::object d_output,
                  nb::object d_h_n_, nb::sequence needed) {
  const Objects matrices = all_contiguous(all_matrices);
  const nb::object initial = made_contiguous(h_0), output = made_contiguous(output_), d_h_n = made_contiguous(d_h_n_);
  require(matrices.size() == 2u * static_cast<unsigned>(directions), "matrices: expected those of directions");
  const std::int64_t units = view<T>(matrices[1]).size(0);
  std::vector<bool> needs;
  for (nb::handle need : needed) needs.push_back(nb::cast<bool>(need));
  const std::size_t each = needs.size() == 2 + 4u * static_cast<unsigned>(directions) ? 4 : 2;
  require(needs.size() == 2 + each * static_cast<unsigned>(directions), "needed: expected one for each argument");

  const nb::object none = nb::none();
  nb::object d_input = none, d_h_0 = none;
  Objects d_weights;
  {
    const Call<T> sizes(input, batch_sizes, directions, units);
    const std::int64_t features = sizes.features();
    const auto fresh = [&](auto... shape) { return nb::object(input.attr(torch->new_empty)(shape...)); };
    if (needs[0]) d_input = sizes.fresh_rows(input, features);
    if (needs[1] && !h_0.is_none()) d_h_0 = sizes.fresh_states(input);
    for (std::size_t first = 2; first < needs.size(); first += each) {
      d_weights.push_back(needs[first] ? fresh(units, features) : none);
      d_weights.push_back(needs[first + 1] ? fresh(units, units) : none);
      d_weights.push_back(each == 4 && (needs[first + 2] || needs[first + 3]) ? fresh(units) : none);
    }
  }
  // Python has run and may have changed anything: from here on it does not.
  const Call<T> sizes(input, batch_sizes, directions, units);
  const std::int64_t features = sizes.features();
  std::array<elman::Backward<T>, 2> calls;
  for (int direction = 0; direction < directions; ++direction) {
    const std::size_t at = static_cast<std::size_t>(direction);
    calls[at] = {
        .sequence = sizes.sequence(direction),
        .nonlinearity = nonlinearity,
        .threads = threads,
        .weights = {features, units, contiguous<const T>(matrices[2 * at], {units, features}),
                    contiguous<const T>(matrices[2 * at + 1], {units, units}), nullptr, nullptr},
        .input = sizes.template rows<const T>(input, features),
        .initial_state = sizes.template states<const T>(initial, direction),
        .output = sizes.template rows<const T>(output, directions * units, direction * units),
        .d_output = sizes.template rows<const T>(d_output, directions * units, direction * units),
        .d_final_state = sizes.template states<const T>(d_h_n, direction),
        .d_input = sizes.template rows<T>(d_input, features),
        .add_to_d_input = direction == 1,
        .d_initial_state = sizes.template states<T>(d_h_0, direction),
        .d_input_weights = contiguous<T>(d_weights[3 * at], {units, features}),
        .d_recurrent_weights = contiguous<T>(d_weights[3 * at + 1], {units, units}),
        .d_bias = contiguous<T>(d_weights[3 * at + 2], {units}),
    };
  }
  {
    const ReleasedForWork released(3 * sizes.work());
    for (int direction = 0; direction < directions; ++direction) {
      elman::backward(calls[static_cast<std::size_t>(direction)]);
    }
  }
  nb::list gradients;
  gradients.append(d_input);
  gradients.append(d_h_0);
  for (std::size_t first = 2, at = 0; first < needs.size(); first += each, at += 3) {
    gradients.append(d_weights[at]);
    gradients.append(d_weights[at + 1]);
    if (each != 4) continue;
    // no two parameters may share a gradient
    const nb::object& d_bias = d_weights[at + 2];
    gradients.append(needs[first + 2] ? d_bias : none);
    gradients.append(!needs[first + 3] ? none : needs[first + 2] ? d_bias.attr(torch->clone)() : d_bias);
  }
  return gradients;
}

// The layer of the input's dtype.
nb::tuple forward_tensors(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input,
                          nb::object h_0, nb::object batch_sizes, nb::sequence weights) {
  const auto f = is_double(input) ? &forward<double> : &forward<float>;
  return f(nonlinearity, threads, directions, input, h_0, batch_sizes, weights);
}

nb::list backward_tensors(elman::Nonlinearity nonlinearity, int threads, int directions, nb::object input,
                          nb::object h_0, nb::object batch_sizes, nb::sequence matrices, nb::object output,
                          nb::object d_output, nb::object d_h_n, nb::sequence needed) {
  const auto f = is_double(input) ? &backward<double> : &backward<float>;
  return f(nonlinearity, threads, directions, input, h_0, batch_sizes, matrices, output, d_output, d_h_n, needed);
}

}  // namespace

void define_tensors(nb::module_& m) {
  m.def("use_tensors", &use_tensors, "exchange"_a, "tensor"_a, "parameter"_a,
        "Tell what tensors are: torch.Tensor.__dlpack_c_exchange_api__, torch.Tensor, torch.nn.Parameter.");
  m.def("is_plain", [](nb::handle tensor) {
    TensorView view;
    return is_plain(tensor, view);
  }, "tensor"_a.none(),
        "Whether this is a tensor whose address, sizes and strides say all about it: no subclass, dense, on the CPU.");
  m.def("admits", nb::overload_cast<nb::handle, nb::handle, nb::list, std::int64_t, std::int64_t, int, int, bool>(&admits),
        "input"_a.none(), "h_0"_a.none(), "weights"_a, "input_size"_a, "hidden_size"_a, "layers"_a, "directions"_a,
        "bias"_a,
        "Whether these are plain tensors of one dtype, float32 or float64, weights and input of these sizes.\n\n"
        "The other sizes of the input and those of h_0 are not looked at.");
  m.def("forward", &forward_tensors, "nonlinearity"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "weights"_a, "One layer over tensors: output and h_n, as elman.ops.layer returns them.");
  m.def("backward", &backward_tensors, "nonlinearity"_a, "threads"_a, "directions"_a, "input"_a, "h_0"_a.none(),
        "batch_sizes"_a.none(), "matrices"_a, "output"_a, "d_output"_a.none(), "d_h_n"_a.none(), "needed"_a,
        "The gradients of input, h_0 and weights; None for those that are not needed.\n\n"
        "`matrices` are the weights without the biases.");
}
