// PyTorch's tensors through DLPack's exchange of C functions: 20 ns a tensor, where an exchange of Python objects takes
// 3 us. PyTorch itself is not needed to build this.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

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

// A tensor of PyTorch whose memory can be used as its address, sizes and strides say: a Tensor or Parameter itself and no
// subclass, dense, on the CPU, with its storage. Good until Python runs again.
class TensorView {
 public:
  static bool read(nb::handle object, TensorView& view);

  int dimensions() const { return view_.dimensions; }
  // Counted from the end where negative.
  std::int64_t size(int dimension) const { return view_.shape[from_start(dimension)]; }
  std::ptrdiff_t stride(int dimension) const { return static_cast<std::ptrdiff_t>(view_.strides[from_start(dimension)]); }
  bool has_shape(std::initializer_list<std::int64_t> shape) const;
  bool is_contiguous() const;
  bool is_empty() const;

  template <class T>
  bool holds() const {
    return view_.type.code == (std::is_integral_v<T> ? 0 : 2) && view_.type.bits == 8 * sizeof(T);
  }

  int kind() const { return 1000 * view_.type.code + view_.type.bits; }

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
  nb::object tensor, parameter;  // the types
  nb::object is_neg;             // the method
  nb::str new_empty = nb::str("new_empty"), contiguous = nb::str("contiguous");
};
extern const PyTorch* torch;  // null until told; never freed: threads may outlive the module
