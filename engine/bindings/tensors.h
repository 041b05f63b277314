// PyTorch's tensors through DLPack's exchange of C functions: 20 ns a tensor, where an exchange of Python objects takes
// 3 us. PyTorch itself is not needed to build this.
#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "bindings/sizes.h"

namespace nb = nanobind;

// Of dlpack.h: a layout that its versions 1 keep.
struct DLTensor {
  void* data;
  struct {
    std::int32_t type, id;
  } device;
  std::int32_t dimensions;
  struct {
    std::uint8_t code, bits;
    std::uint16_t lanes;
  } type;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

struct DLPackExchange {
  struct {
    std::uint32_t major, minor;
  } version;
  DLPackExchange* previous;
  void* unused[3];
  int (*view)(void* object, DLTensor* view);  // of a Python object; not 0: with a Python error
};

// A tensor of PyTorch whose memory can be used as its address, sizes and strides say: a Tensor or Parameter itself and
// no subclass, dense, on the CPU, with its storage. Good until Python runs again, in this thread or another.
class TensorView {
 public:
  static bool read(nb::handle object, TensorView& view);

  int dimensions() const { return view_.dimensions; }
  // Counted from the end where negative.
  std::int64_t size(int dimension) const { return view_.shape[from_start(dimension)]; }
  std::ptrdiff_t stride(int dimension) const {
    return static_cast<std::ptrdiff_t>(view_.strides[from_start(dimension)]);
  }
  bool has_shape(std::initializer_list<std::int64_t> shape) const;
  bool is_contiguous() const;
  bool is_empty() const;
  // How many rows lie along the last dimension, and how far apart where that is the same for all.
  std::int64_t rows() const;
  std::ptrdiff_t row_stride() const;
  bool has_even_rows() const;

  template <class T>
  bool holds() const {
    constexpr int code = std::is_same_v<T, bool> ? 6 : std::is_integral_v<T> ? 0 : 2;
    return view_.type.code == code && view_.type.bits == 8 * sizeof(T);
  }

  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(static_cast<char*>(view_.data) + view_.byte_offset);
  }

 private:
  int from_start(int dimension) const { return dimension < 0 ? dimension + view_.dimensions : dimension; }
  DLTensor view_{};
};

// What there is to know of PyTorch, told once by elman._gate.
struct PyTorch {
  DLPackExchange* exchange;
  nb::object tensor, parameter;                              // the types
  nb::object is_neg, untyped_storage, detach, is_inference;  // methods of tensors
  nb::str new_empty = nb::str("new_empty"), contiguous = nb::str("contiguous");
  nb::str is_leaf = nb::str("is_leaf"), requires_grad = nb::str("requires_grad"), version = nb::str("_version");
};
extern const PyTorch* torch;  // null until told; never freed: threads may outlive the module

// Whether this is a Tensor or Parameter itself.
bool is_tensor(nb::handle object);

// Whether the numbers of a tensor are also those in its memory: not so in a view of them as negative. And whether that
// can be used.
bool is_as_in_memory(nb::handle tensor);
bool is_plain(nb::handle tensor, TensorView& view);

// Whether a tensor, or None, requires a gradient.
bool learns(nb::handle tensor);

// Whether these are plain tensors of one dtype, float32 or float64, weights and input of these sizes, which are a
// module's attributes and may have been set to anything. A program's weights are four, of which all but the first may
// be None.
bool are_admitted(nb::handle input, nb::handle h_0, nb::handle c_0, nb::list weights, int gates, nb::handle input_size,
                  nb::handle hidden_size, int layers, int directions, bool bias, bool is_program = false);

bool is_true(nb::handle object);

// What a function keeps of the tensors that it is given: elman.ops._kept says what for.
struct Kept {
  nb::list aliases, computed, leads;

  void add_nothing();
  void add(nb::handle tensor, nb::handle alias, bool needs_gradient);
  // The alias, None for None.
  nb::object add(nb::handle tensor);
};

// The numbers of a plain vector as they are now.
nb::bytes copy_of(nb::handle tensor);

// A tensor that a call has made and no one else knows of; None counts as no tensor. Not of T where it was made like one
// that another thread has meanwhile given data of another dtype.
template <class T>
class Result {
 public:
  Result() = default;
  explicit Result(nb::handle tensor) : is_there_(!tensor.is_none()) {
    require(!is_there_ || (TensorView::read(tensor, view_) && view_.holds<T>()),
            "expected a plain tensor of the input's dtype");
  }
  const TensorView* view() const { return is_there_ ? &view_ : nullptr; }
  T* data() const { return is_there_ ? view_.data<T>() : nullptr; }

 private:
  bool is_there_ = false;
  TensorView view_;
};

// What the memory of a tensor must be like, or a contiguous copy is taken in its place.
enum class MemoryFormat : std::uint8_t { any, even_rows, contiguous };

inline bool has_memory_format(const TensorView& view, MemoryFormat format) {
  return format == MemoryFormat::any ||
         (format == MemoryFormat::contiguous ? view.is_contiguous() : view.has_even_rows());
}

// What a call of the engine reads of tensors. Python runs while this is made: in other threads, which may give a tensor
// other data. It stays as it is from settle() on: where the GIL will be given up, their storages are kept too.
template <class T, std::size_t kMost = 12>
class Operands {
 public:
  explicit Operands(bool gil_is_given_up) : keeps_storages_(gil_is_given_up) {}

  // The number under which it is found again. None counts as no tensor.
  std::size_t add(nb::handle tensor, MemoryFormat format) {
    require(count_ < kMost, "expected fewer tensors");
    all_[count_] = {nb::borrow(tensor), nb::object(), TensorView(), format};
    return count_++;
  }

  // Looks until a whole round finds what the one before has found: in such a round no Python has run. A few are enough
  // unless storages are wrapped anew at each look, which no PyTorch known does.
  void settle() {
    bool changed = true;
    for (int round = 0; changed && round < 8; ++round) {
      changed = false;
      for (std::size_t i = 0; i < count_; ++i) changed |= all_[i].changes(keeps_storages_);
    }
  }

  // Null for None.
  const TensorView* find(std::size_t i) const { return all_[i].tensor.is_none() ? nullptr : &all_[i].view; }

  const T* data_if_any(std::size_t i, std::initializer_list<std::int64_t> shape) const {
    return find(i) ? data(i, shape) : nullptr;
  }
  const T* data(std::size_t i, std::initializer_list<std::int64_t> shape) const {
    require(find(i) && find(i)->has_shape(shape), "expected a tensor of another shape");
    return find(i)->template data<const T>();
  }

 private:
  struct Operand {
    nb::object tensor, storage;
    TensorView view;
    MemoryFormat format = MemoryFormat::any;

    bool changes(bool keeps_storage) {
      if (tensor.is_none()) return false;
      require(TensorView::read(tensor, view) && view.holds<T>(), "expected a plain tensor of the input's dtype");
      if (!has_memory_format(view, format)) {
        tensor = tensor.attr(torch->contiguous)();
        return true;
      }
      if (!keeps_storage) return false;
      nb::object now = torch->untyped_storage(tensor);
      if (now.is(storage)) return false;
      storage = std::move(now);
      return true;
    }
  };

  std::array<Operand, kMost> all_;
  std::size_t count_ = 0;
  bool keeps_storages_;
};
