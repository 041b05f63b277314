// A NumPy array through the buffer protocol: half the time of an exchange through DLPack, which counts where a whole
// step takes a microsecond.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <type_traits>

namespace nb = nanobind;

class Buffer {
 public:
  Buffer(nb::handle object, bool writable) {
    const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) {
      PyErr_Clear();
      view_.obj = nullptr;
      view_.ndim = 0;
    }
  }
  ~Buffer() {
    if (view_.obj) PyBuffer_Release(&view_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Whether it holds native, aligned numbers of this type, or booleans, in one dimension or more.
  template <class T>
  bool holds() const {
    constexpr char kFormat = std::is_same_v<T, bool> ? '?' : sizeof(T) == 4 ? 'f' : 'd';
    if (!view_.obj || view_.ndim < 1 || !view_.format) return false;
    if (view_.format[0] != kFormat || view_.format[1] != 0) return false;
    if (reinterpret_cast<std::uintptr_t>(view_.buf) % alignof(T) != 0) return false;
    for (int i = 0; i < view_.ndim; ++i) {
      if (view_.strides[i] % static_cast<Py_ssize_t>(sizeof(T)) != 0) return false;
    }
    return true;
  }

  bool is_contiguous() const { return PyBuffer_IsContiguous(&view_, 'C') != 0; }
  int dimensions() const { return view_.ndim; }
  std::int64_t size(int dimension) const { return view_.shape[dimension]; }

  template <class T>
  std::ptrdiff_t stride(int dimension) const {
    return view_.strides[dimension] / static_cast<std::ptrdiff_t>(sizeof(T));
  }

  template <class T>
  T* data() const {
    return static_cast<T*>(view_.buf);
  }

 private:
  Py_buffer view_;
};
