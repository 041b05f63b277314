// What a classifier does with the outputs of a network: pooling over steps, softmax.
#include "bindings/module.h"
#include "bindings/released.h"
#include "bindings/sizes.h"
#include "elman/pooling.h"
#include "elman/softmax.h"

namespace {

template <class T>
using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
void pool(Matrix<const T> states, BatchSizes batch_sizes, Matrix<T> pooled) {
  const std::int64_t features = length(states.shape(1));
  const std::vector<std::int64_t> sizes = checked_copy(batch_sizes, length(states.shape(0)));
  const std::int64_t batch = sizes.empty() ? 0 : sizes.front();
  require(length(pooled.shape(0)) >= batch && length(pooled.shape(1)) >= 2 * features,
          "pooled: expected room for twice the features of every sequence");
  const elman::Pooling<T> call{
      .sequence = {length(sizes.size()), batch, sizes.data(), false},
      .features = features,
      .input = {states.data(), 0, features, 1},
      .largest = pooled.data(),
      .mean = pooled.data() + features,
      .output_row = length(pooled.shape(1)),
  };
  const Released released;
  elman::pool(call);
}

template <class T>
void softmax(Matrix<const T> scores, Matrix<T> probabilities, bool logarithm) {
  require(scores.shape(0) == probabilities.shape(0) && scores.shape(1) == probabilities.shape(1),
          "softmax: expected two arrays of one shape");
  const Released released;
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
