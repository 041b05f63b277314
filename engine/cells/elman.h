// The Elman cell: h = f(a), and what the gradient of h becomes at a. A cell sees a few vectors of hidden units at
// a time and knows nothing of steps, weights or memory.
#pragma once

#include "simd/tanh.h"

namespace elman {
namespace {

struct TanhCell {
  static constexpr bool kReadsHidden = true;  // whether differentiate looks at h

  template <class T, class X>
  [[gnu::always_inline]] static X activate(const X& a) {
    return tanh<T>(a);
  }

  // tanh'(a) = 1 - h^2, read off the output
  template <class T>
  [[gnu::always_inline]] static Vector<T> differentiate(Vector<T> d_hidden, Vector<T> hidden) {
    return d_hidden * multiply_add(-hidden, hidden, broadcast(T(1)));
  }
};

struct ReluCell {
  static constexpr bool kReadsHidden = true;

  template <class T, class X>
  [[gnu::always_inline]] static X activate(const X& a) {
    return on_each([](Vector<T> each) { return each <= 0 ? Vector<T>{} : each; }, a);  // NaN stays
  }

  // A select, as in PyTorch: an infinite gradient is 0 where the unit is off, not NaN.
  template <class T>
  [[gnu::always_inline]] static Vector<T> differentiate(Vector<T> d_hidden, Vector<T> hidden) {
    return hidden <= 0 ? Vector<T>{} : d_hidden;
  }
};

// No nonlinearity: a linear layer.
struct IdentityCell {
  static constexpr bool kReadsHidden = false;

  template <class T, class X>
  [[gnu::always_inline]] static X activate(const X& a) {
    return a;
  }

  template <class T>
  [[gnu::always_inline]] static Vector<T> differentiate(Vector<T> d_hidden, Vector<T>) {
    return d_hidden;
  }
};

}  // namespace
}  // namespace elman
