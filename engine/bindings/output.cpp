// What a classifier does with the outputs of a network: pooling over steps, softmax.
#include <nanobind/ndarray.h>

#include <stdexcept>

#include "bindings/module.h"
#include "elman/pooling.h"
#include "elman/softmax.h"

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using BatchSizes = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::int64_t length(std::size_t size) { return static_cast<std::int64_t>(size); }

template <class T>
void pool(Matrix<const T> states, BatchSizes batch_sizes, Matrix<T> pooled) {
  const std::int64_t features = length(states.shape(1));
  std::int64_t rows = 0;
  for (std::size_t t = 0; t < batch_sizes.shape(0); ++t) rows += batch_sizes(t);
  const std::int64_t batch = batch_sizes.shape(0) ? batch_sizes(0) : 0;
  if (rows != length(states.shape(0)) || length(pooled.shape(0)) < batch || length(pooled.shape(1)) < 2 * features) {
    throw std::invalid_argument("pool: expected the rows of all steps and room for twice the features");
  }
  const elman::Pooling<T> call{
      .sequence = {length(batch_sizes.shape(0)), batch, batch_sizes.data(), false},
      .features = features,
      .input = {states.data(), 0, features, 1},
      .largest = pooled.data(),
      .mean = pooled.data() + features,
      .output_row = length(pooled.shape(1)),
  };
  const nb::gil_scoped_release released;
  elman::pool(call);
}

template <class T>
void softmax(Matrix<const T> scores, Matrix<T> probabilities, bool logarithm) {
  if (scores.shape(0) != probabilities.shape(0) || scores.shape(1) != probabilities.shape(1)) {
    throw std::invalid_argument("softmax: expected two arrays of one shape");
  }
  const nb::gil_scoped_release released;
  elman::softmax(length(scores.shape(0)), length(scores.shape(1)), scores.data(), probabilities.data(), logarithm);
}

template <class T>
void define(nb::module_& m) {
  m.def("pool", &pool<T>, "states"_a.noconvert(), "batch_sizes"_a.noconvert(), "pooled"_a.noconvert(),
        "Each sequence's largest values and means, into the first columns of `pooled`: elman/pooling.h.\n\n"
        "`states` (rows, features) are packed, `pooled` is (batch, 2 * features or more).");
  m.def("softmax", &softmax<T>, "scores"_a.noconvert(), "probabilities"_a.noconvert(), "logarithm"_a = false,
        "The probabilities of each row of scores, or their logarithms: elman/softmax.h.");
}

}  // namespace

void define_output(nb::module_& m) {
  define<float>(m);
  define<double>(m);
}
