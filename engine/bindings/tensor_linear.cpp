// The linear layer over PyTorch's tensors: one step of a recurrence without a recurrent term.
#include <cstdint>
#include <vector>

#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/tensors.h"
#include "elman/engine.h"

namespace {

using Tuple = nb::typed<nb::tuple, nb::object, nb::ellipsis>;

struct Sizes {
  std::int64_t rows, in_features, out_features;
  bool gives_up_gil() const {
    return is_worth_the_gil(static_cast<double>(rows) * static_cast<double>(in_features) *
                            static_cast<double>(out_features));
  }
};

// None for None.
template <class T>
elman::Rows<const T> rows(const TensorView* numbers, std::int64_t count, std::int64_t width) {
  if (!numbers) return {};
  require(numbers->dimensions() > 0 && numbers->size(-1) == width && numbers->rows() == count,
          "expected rows of another shape");
  return {numbers->data<const T>(), 0, numbers->row_stride(), numbers->stride(-1)};
}

using Shape = std::vector<std::int64_t>;

// The shape of a tensor with other features in the last place.
Shape with_features(const TensorView& view, std::int64_t features) {
  Shape shape;
  for (int i = 0; i + 1 < view.dimensions(); ++i) shape.push_back(view.size(i));
  shape.push_back(features);
  return shape;
}

nb::object new_empty(nb::handle like, const Shape& shape) {
  nb::list sizes;
  for (const std::int64_t size : shape) sizes.append(size);
  return like.attr(torch->new_empty)(sizes);
}

template <class T>
nb::object forward(const Sizes& sizes, int threads, nb::handle input, nb::handle weight, nb::handle bias,
                   const Shape& shape) {
  const nb::object output = new_empty(input, shape);
  Operands<T> operands(sizes.gives_up_gil());
  const std::size_t of_input = operands.add(input, MemoryFormat::even_rows),
                    of_weight = operands.add(weight, MemoryFormat::contiguous);
  const std::size_t of_bias = operands.add(bias, MemoryFormat::contiguous);
  operands.settle();
  const Result<T> to_output(output);
  const elman::Forward<T> call{
      .sequence = {1, sizes.rows, nullptr, false},
      .cell = elman::Cell::identity,
      .threads = threads,
      .weights = {sizes.in_features, sizes.out_features,
                  operands.data(of_weight, {sizes.out_features, sizes.in_features}), nullptr,
                  operands.find(of_bias) ? operands.data(of_bias, {sizes.out_features}) : nullptr, nullptr},
      .packed = nullptr,
      .input = rows<T>(operands.find(of_input), sizes.rows, sizes.in_features),
      .initial_state = nullptr,
      .output = {to_output.data(), 0, sizes.out_features, 1},
      .final_state = nullptr,
  };
  const ReleasedIf released(sizes.gives_up_gil());
  elman::forward(call);
  return output;
}

template <class T>
nb::tuple backward(const Sizes& sizes, int threads, nb::handle d_output, nb::handle input, nb::handle weight,
                   nb::tuple needed, const Shape& shape) {
  nb::object gradients[3] = {nb::none(), nb::none(), nb::none()};
  if (needed[0].is(Py_True)) gradients[0] = new_empty(d_output, shape);
  if (needed[1].is(Py_True)) gradients[1] = new_empty(d_output, {sizes.out_features, sizes.in_features});
  if (needed[2].is(Py_True)) gradients[2] = new_empty(d_output, {sizes.out_features});
  Operands<T> operands(sizes.gives_up_gil());
  const std::size_t of_d_output = operands.add(d_output, MemoryFormat::even_rows),
                    of_input = operands.add(input, MemoryFormat::even_rows);
  const std::size_t of_weight = operands.add(weight, MemoryFormat::contiguous);
  operands.settle();
  require(gradients[0].is_none() || operands.find(of_weight),
          "weight: expected a tensor, the input's gradient needs it");
  require(gradients[1].is_none() || operands.find(of_input),
          "input: expected a tensor, the weight's gradient needs it");
  const elman::Backward<T> call{
      .sequence = {1, sizes.rows, nullptr, false},
      .cell = elman::Cell::identity,
      .threads = threads,
      .weights = {sizes.in_features, sizes.out_features,
                  operands.find(of_weight) ? operands.data(of_weight, {sizes.out_features, sizes.in_features})
                                           : nullptr,
                  nullptr, nullptr, nullptr},
      .input = rows<T>(operands.find(of_input), sizes.rows, sizes.in_features),
      .initial_state = nullptr,
      .output = {},
      .d_output = rows<T>(operands.find(of_d_output), sizes.rows, sizes.out_features),
      .d_final_state = nullptr,
      .d_input = {Result<T>(gradients[0]).data(), 0, sizes.in_features, 1},
      .add_to_d_input = false,
      .d_initial_state = nullptr,
      .d_input_weights = Result<T>(gradients[1]).data(),
      .d_recurrent_weights = nullptr,
      .d_bias = Result<T>(gradients[2]).data(),
  };
  {
    const ReleasedIf released(sizes.gives_up_gil());
    elman::backward(call);
  }
  return nb::make_tuple(gradients[0], gradients[1], gradients[2]);
}

TensorView rows_of(nb::handle tensor) {
  TensorView view;
  require(TensorView::read(tensor, view) && view.dimensions() > 0, "expected a plain tensor of rows");
  return view;
}

nb::object linear(int threads, nb::handle input, nb::handle weight, nb::handle bias) {
  const TensorView x = rows_of(input);
  const Sizes sizes{x.rows(), x.size(-1), rows_of(weight).rows()};
  const Shape shape = with_features(x, sizes.out_features);
  return x.holds<double>() ? forward<double>(sizes, threads, input, weight, bias, shape)
                           : forward<float>(sizes, threads, input, weight, bias, shape);
}

Tuple linear_backward(int threads, nb::handle d_output, nb::handle input, nb::handle weight, std::int64_t in_features,
                      Tuple needed) {
  require(needed.size() == 3, "needed: expected one for each argument");
  const TensorView d = rows_of(d_output);
  const Sizes sizes{d.rows(), in_features, d.size(-1)};
  const Shape shape = with_features(d, in_features);
  return Tuple(d.holds<double>() ? backward<double>(sizes, threads, d_output, input, weight, needed, shape)
                                 : backward<float>(sizes, threads, d_output, input, weight, needed, shape));
}

}  // namespace

void define_tensor_linear(nb::module_& m) {
  m.def("linear", &linear, "threads"_a, "input"_a, "weight"_a, "bias"_a.none(),
        "input W^T + b over tensors, (…, in_features) to (…, out_features).");
  m.def("linear_backward", &linear_backward, "threads"_a, "d_output"_a, "input"_a.none(), "weight"_a.none(),
        "in_features"_a, "needed"_a,
        "The gradients of input, weight and bias; None for those that are not needed.\n\n"
        "`weight` is read for the first of them, `input` for the second.");
}
