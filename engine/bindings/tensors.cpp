// What the engine may be handed of PyTorch: each tensor is looked at anew at every call.
#include "bindings/tensors.h"

#include <cstring>
#include <vector>

#include "bindings/module.h"
#include "bindings/sizes.h"
#include "threads/pool.h"

const PyTorch* torch = nullptr;

namespace {

void use_tensors(nb::capsule exchange, nb::object tensor, nb::object parameter) {
  auto* functions = static_cast<DLPackExchange*>(exchange.data("dlpack_exchange_api"));
  require(functions->version.major == 1, "exchange: expected DLPack 1");
  torch = new PyTorch{functions,
                      tensor,
                      parameter,
                      tensor.attr("is_neg"),
                      tensor.attr("untyped_storage"),
                      tensor.attr("detach"),
                      tensor.attr("is_inference")};
}

}  // namespace

bool is_tensor(nb::handle object) {
  const nb::handle type = object.type();
  return torch && (type.is(torch->tensor) || type.is(torch->parameter));
}

bool TensorView::read(nb::handle object, TensorView& view) {
  if (!is_tensor(object)) return false;
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

// Sizes of views may multiply to anything: unsigned products wrap around.
std::int64_t TensorView::rows() const {
  std::uint64_t count = 1;
  for (int i = 0; i + 1 < dimensions(); ++i) count *= static_cast<std::uint64_t>(size(i));
  return static_cast<std::int64_t>(count);
}

std::ptrdiff_t TensorView::row_stride() const {
  for (int i = dimensions() - 1; i-- > 0;) {
    if (size(i) != 1) return stride(i);
  }
  return 0;
}

bool TensorView::has_even_rows() const {
  const auto apart = static_cast<std::uint64_t>(row_stride());
  std::uint64_t count = 1;
  for (int i = dimensions() - 1; i-- > 0; count *= static_cast<std::uint64_t>(size(i))) {
    if (size(i) != 1 && static_cast<std::uint64_t>(stride(i)) != apart * count) return false;
  }
  return true;
}

bool is_as_in_memory(nb::handle tensor) { return is_tensor(tensor) && torch->is_neg(tensor).is(Py_False); }

bool is_plain(nb::handle tensor, TensorView& view) { return is_as_in_memory(tensor) && TensorView::read(tensor, view); }

bool learns(nb::handle tensor) { return !tensor.is_none() && tensor.attr(torch->requires_grad).is(Py_True); }

bool is_true(nb::handle object) {
  const int truth = PyObject_IsTrue(object.ptr());
  if (truth < 0) nb::raise_python_error();
  return truth == 1;
}

void Kept::add_nothing() {
  aliases.append(nb::none());
  leads.append(nb::none());
}

void Kept::add(nb::handle tensor, nb::handle alias, bool needs_gradient) {
  aliases.append(alias);
  if (!needs_gradient) {
    leads.append(nb::none());
  } else if (tensor.attr(torch->is_leaf).is(Py_False)) {
    computed.append(tensor);
    leads.append(nb::handle(Py_Ellipsis));
  } else {
    leads.append(tensor);
  }
}

nb::object Kept::add(nb::handle tensor) {
  if (tensor.is_none()) {
    add_nothing();
    return nb::none();
  }
  nb::object alias = torch->detach(tensor);
  add(tensor, alias, learns(tensor));
  return alias;
}

nb::bytes copy_of(nb::handle tensor) {
  TensorView view;
  require(TensorView::read(tensor, view) && view.dimensions() == 1, "tensor: expected a plain vector");
  const std::size_t size = view.holds<double>() ? 8 : 4;
  require(size == 8 || view.holds<float>(), "tensor: expected float32 or float64");
  const char* from = view.data<const char>();
  if (view.is_contiguous()) return nb::bytes(from, static_cast<std::size_t>(view.size(0)) * size);
  std::vector<char> numbers(static_cast<std::size_t>(view.size(0)) * size);
  for (std::int64_t i = 0; i < view.size(0); ++i) {
    const std::ptrdiff_t at = i * view.stride(0) * static_cast<std::ptrdiff_t>(size);
    std::memcpy(numbers.data() + static_cast<std::size_t>(i) * size, from + at, size);
  }
  return nb::bytes(numbers.data(), numbers.size());
}

namespace {

using List = nb::typed<nb::list, nb::object>;

bool are_plain(List tensors) {
  for (nb::handle tensor : tensors) {
    TensorView view;
    if (!tensor.is_none() && !is_plain(nb::borrow(tensor), view)) return false;
  }
  return true;
}

nb::typed<nb::tuple, List, List, List> keep(nb::typed<nb::sequence, nb::object> tensors) {
  require(torch, "expected to be told of PyTorch before");
  Kept kept;
  for (nb::handle tensor : tensors) kept.add(tensor);
  return nb::make_tuple(kept.aliases, kept.computed, kept.leads);
}

// How often a tensor was written to; inference tensors do not count.
nb::object version_of(nb::handle tensor) {
  if (torch->is_inference(tensor).is(Py_True)) return nb::none();
  return tensor.attr(torch->version);
}

List versions(List tensors) {
  nb::list all;
  for (nb::handle tensor : tensors) all.append(tensor.is_none() ? nb::none() : version_of(tensor));
  return List(all);
}

using Flags = nb::typed<nb::tuple, bool>;
using Lists = nb::typed<nb::tuple, List, List, List, List, List, List>;

Lists keep_needed(nb::typed<nb::tuple, nb::object> tensors, Flags needed, Flags learns) {
  require(torch, "expected to be told of PyTorch before");
  const std::size_t count = tensors.size();
  require(needed.size() == count, "needed: expected one for each tensor");
  require(learns.size() >= count, "learns: expected one for each tensor");
  Kept kept;
  nb::list values, unsaved, versions;
  for (std::size_t i = 0; i < count; ++i) {
    const nb::handle tensor = tensors[i];
    const bool is_saved = needed[i].is(Py_True), needs_gradient = learns[i].is(Py_True);
    nb::object value = nb::none(), version = nb::none();
    if (tensor.is_none()) {
      kept.add_nothing();
    } else {
      value = torch->detach(tensor);
      if (is_saved) {
        kept.add(tensor, value, needs_gradient);
      } else {
        version = version_of(value);
        kept.aliases.append(nb::none());
        kept.leads.append(needs_gradient ? nb::borrow(tensor) : nb::none());
      }
    }
    values.append(value);
    unsaved.append(is_saved ? nb::none() : value);
    versions.append(version);
  }
  return nb::make_tuple(kept.aliases, kept.computed, kept.leads, values, unsaved, versions);
}

nb::typed<nb::list, nb::bytes> copies(nb::typed<nb::sequence, nb::object> tensors) {
  nb::list all;
  for (nb::handle tensor : tensors) all.append(copy_of(tensor));
  return nb::typed<nb::list, nb::bytes>(all);
}

template <class T>
bool are_weights(nb::list weights, int gates, std::int64_t input_size, std::int64_t hidden_size, int layers,
                 int directions, bool bias, bool is_program) {
  const std::int64_t rows = gates * hidden_size;
  const int each = bias ? 4 : 2;
  if (length(weights.size()) != std::int64_t{layers} * directions * each) return false;
  int index = 0;
  for (nb::handle borrowed : weights) {
    const nb::object weight = nb::borrow(borrowed);
    TensorView view;
    const int kind = index++ % each;
    if (is_program && kind > 0 && weight.is_none()) continue;
    if (!is_plain(weight, view) || !view.holds<T>()) return false;
    const std::int64_t features = index <= directions * each ? input_size : directions * hidden_size;
    if (kind == 0 && !view.has_shape({rows, features})) return false;
    if (kind == 1 && !view.has_shape({rows, hidden_size})) return false;
    if (kind > 1 && !view.has_shape({rows})) return false;
  }
  return true;
}

template <class T>
bool are_all_of(const TensorView& x, nb::handle h_0, nb::handle c_0, nb::list weights, int gates,
                std::int64_t input_size, std::int64_t hidden_size, int layers, int directions, bool bias,
                bool is_program) {
  const auto is_state = [](nb::handle state) {
    TensorView view;
    return state.is_none() || (is_plain(state, view) && view.holds<T>());
  };
  return x.holds<T>() && is_state(h_0) && is_state(c_0) &&
         are_weights<T>(weights, gates, input_size, hidden_size, layers, directions, bias, is_program);
}

bool admits(nb::handle input, nb::handle h_0, nb::handle c_0, List weights, int gates, nb::handle input_size,
            nb::handle hidden_size, nb::handle layers, nb::handle bidirectional, nb::handle bias) {
  int count = 0;
  return nb::try_cast(layers, count) && are_admitted(input, h_0, c_0, weights, gates, input_size, hidden_size, count,
                                                     is_true(bidirectional) ? 2 : 1, is_true(bias));
}

}  // namespace

bool are_admitted(nb::handle input, nb::handle h_0, nb::handle c_0, nb::list weights, int gates, nb::handle input_size,
                  nb::handle hidden_size, int layers, int directions, bool bias, bool is_program) {
  TensorView x;
  std::int64_t features = 0, units = 0;
  if (!nb::try_cast(input_size, features) || !nb::try_cast(hidden_size, units)) return false;
  constexpr std::int64_t kMost = std::int64_t{1} << 48;  // so that no number of gates times it wraps around
  if (units < 1 || units > kMost || !is_plain(input, x) || x.dimensions() < 1 || x.size(-1) != features) return false;
  return are_all_of<float>(x, h_0, c_0, weights, gates, features, units, layers, directions, bias, is_program) ||
         are_all_of<double>(x, h_0, c_0, weights, gates, features, units, layers, directions, bias, is_program);
}

void define_tensors(nb::module_& m) {
  m.def("use_tensors", &use_tensors, "exchange"_a, "tensor"_a, "parameter"_a,
        "Tell what tensors are: torch.Tensor.__dlpack_c_exchange_api__, torch.Tensor, torch.nn.Parameter.");
  m.def(
      "use_openmp",
      [](std::uintptr_t parallel, std::uintptr_t max_threads) {
        elman::OpenMP openmp{};
        openmp.parallel = reinterpret_cast<decltype(openmp.parallel)>(parallel);
        openmp.max_threads = reinterpret_cast<decltype(openmp.max_threads)>(max_threads);
        elman::use_openmp(openmp);
      },
      "parallel"_a, "max_threads"_a,
      "Work on the threads of an OpenMP library: the addresses of its GOMP_parallel and omp_get_max_threads.");
  m.def(
      "is_plain",
      [](nb::handle tensor) {
        TensorView view;
        return is_plain(tensor, view);
      },
      "tensor"_a.none(),
      "Whether this is a tensor whose address, sizes and strides say all about it: no subclass, dense, on the CPU.");
  m.def("are_plain", &are_plain, "tensors"_a, "Whether each of these is None or plain.");
  m.def(
      "keep", &keep, "tensors"_a,
      "Aliases of tensors or None; those of the tensors that are no leaves; those that are in their places, `...` for "
      "what is none and None for what needs no gradient.");
  m.def(
      "keep_needed", &keep_needed, "tensors"_a, "needed"_a, "learns"_a,
      "Of the tensors that are `needed` what `keep` says; aliases of all, of the others alone, and their versions.\n\n"
      "`learns` says which of them need gradients. What is not needed is None among the first aliases, and stands "
      "among "
      "the leaves if it learns, whether it is one or not.");
  m.def("versions", &versions, "tensors"_a,
        "How often each was written to; None for None, and for inference tensors, which do not count.");
  m.def("copies", &copies, "tensors"_a, "The numbers of plain vectors, float32 or float64, as they are now.");
  m.def("admits", &admits, "input"_a.none(), "h_0"_a.none(), "c_0"_a.none(), "weights"_a, "gates"_a,
        "input_size"_a.none(), "hidden_size"_a.none(), "layers"_a.none(), "bidirectional"_a.none(), "bias"_a.none(),
        "Whether these are plain tensors of one dtype, float32 or float64, weights and input of these sizes.\n\n"
        "The other sizes of the input and those of the states are not looked at.");
}
