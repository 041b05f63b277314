// The memory of a NumPy array, read from where NumPy's own headers have every extension read it: these fields are part
// of its binary interface, in 1.x and 2.x alike. The buffer protocol takes 80 ns for the same and DLPack 160, which
// count where a whole step takes less than a microsecond. NumPy itself is not needed to build this.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace nb = nanobind;

class Buffer {
 public:
  // Of an object whose type is numpy.ndarray itself. Sizes and strides are as they were then: Python that runs later
  // may give the array others.
  Buffer(nb::handle array, bool writable) {
    const auto& fields = *reinterpret_cast<const Fields*>(array.ptr());
    constexpr std::uint32_t kIsWritable = 0x400, kWarnsOfWriting = 0x80000000;
    const bool may_be_used = !writable || (fields.flags & (kIsWritable | kWarnsOfWriting)) == kIsWritable;
    if (!may_be_used || fields.dimensions < 1 || fields.dimensions > kMostDimensions) return;
    dimensions_ = fields.dimensions;
    std::copy_n(fields.shape, dimensions_, shape_);
    std::copy_n(fields.strides, dimensions_, strides_);
    data_ = fields.data;
    is_contiguous_ = fields.flags & 1;
    // native is '=', and '|' of a byte
    if (fields.dtype->byte_order == '=' || fields.dtype->byte_order == '|') type_ = fields.dtype->type;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Whether it holds native, aligned numbers of this type, or booleans, in one dimension or more.
  template <class T>
  bool holds() const {
    constexpr int kType = std::is_same_v<T, bool> ? 0 : sizeof(T) == 4 ? 11 : 12;
    if (dimensions_ == 0 || type_ != kType || reinterpret_cast<std::uintptr_t>(data_) % alignof(T) != 0) return false;
    return std::all_of(strides_, strides_ + dimensions_,
                       [](Py_ssize_t stride) { return stride % static_cast<Py_ssize_t>(sizeof(T)) == 0; });
  }

  bool is_contiguous() const { return is_contiguous_; }
  int dimensions() const { return dimensions_; }  // 0 of what cannot be used
  std::int64_t size(int dimension) const { return shape_[dimension]; }

  template <class T>
  std::ptrdiff_t stride(int dimension) const {
    return strides_[dimension] / static_cast<std::ptrdiff_t>(sizeof(T));
  }

  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  // PyArray_Descr and PyArrayObject, as far as they are read.
  struct Dtype {
    PyObject_HEAD PyTypeObject* scalar;
    char kind, letter, byte_order, flags;
    int type;
  };
  struct Fields {
    PyObject_HEAD char* data;
    int dimensions;
    const Py_ssize_t* shape;
    const Py_ssize_t* strides;
    PyObject* base;
    const Dtype* dtype;
    std::uint32_t flags;
  };
  static constexpr int kMostDimensions = 3;

  char* data_ = nullptr;
  int dimensions_ = 0, type_ = -1;
  bool is_contiguous_ = false;
  Py_ssize_t shape_[kMostDimensions]{}, strides_[kMostDimensions]{};
};
