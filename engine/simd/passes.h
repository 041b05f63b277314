// sigma and tanh of many vectors in their place. A chain of their operations is longer than a processor looks ahead, so
// it is cut in three, and each part is done for all vectors before the next: with AVX2 17 cycles a vector for 26 of
// four chains side by side. A few vectors would wait at each cut, and are done one by one.
#pragma once

#include "simd/sigma.h"

namespace elman {
namespace {

// At most kMost elements at a time, whole vectors.
template <class T, int kMost>
class Passes {
 public:
  [[gnu::noinline]] void tanh(T* values, std::ptrdiff_t count) {
    if (count <= kFew) return one_by_one(values, count, [](const X& x) { return elman::tanh<T>(x); });
    reduce_all(count, [&](std::ptrdiff_t i) { return on_each(TanhBits<T>::magnitude, at(values, i)); });
    invert_all(count, [&](std::ptrdiff_t i, const X& half, const X& inverse, const X& correction) {
      const X x = at(values, i);
      put(values, i, tanh_of<T>(x, on_each(TanhBits<T>::magnitude, x), half, inverse, correction));
    });
  }

  [[gnu::noinline]] void sigma(T* values, std::ptrdiff_t count) {
    if (count <= kFew) return one_by_one(values, count, [](const X& x) { return elman::sigma<T>(x); });
    auto is_far = Vector<T>{} > Vector<T>{};
    reduce_all(count, [&](std::ptrdiff_t i) {
      const X half_magnitude = on_each(SigmaBits<T>::half_magnitude, at(values, i));
      is_far |= half_magnitude.each[0] > SigmaConstants<T>::kNear;
      return half_magnitude;
    });
    if (any(is_far)) [[unlikely]] {
      for (std::ptrdiff_t i = 0; i < count; i += kLanes<T>) put(values, i, {{sigma_far<T>(load(values + i))}});
      return;
    }
    invert_all(count, [&](std::ptrdiff_t i, const X& half, const X& inverse, const X& of_tanh) {
      const X first = half + broadcast(T(0.5));
      put(values, i,
          sigma_from<T>(at(values, i), half, first, inverse, of_tanh, [](const X& scaled) { return scaled; }));
    });
  }

 private:
  using X = Several<Vector<T>, 1>;
  static constexpr std::ptrdiff_t kFew = 2 * kLanes<T>;

  static X at(const T* from, std::ptrdiff_t i) { return load_several<1>(from + i); }
  static void put(T* to, std::ptrdiff_t i, const X& value) { store_several<T>(to + i, value); }

  template <class F>
  static void one_by_one(T* values, std::ptrdiff_t count, const F& f) {
    for (std::ptrdiff_t i = 0; i < count; i += kLanes<T>) put(values, i, f(at(values, i)));
  }

  template <class Magnitude>
  [[gnu::always_inline]] void reduce_all(std::ptrdiff_t count, const Magnitude& magnitude) {
    for (std::ptrdiff_t i = 0; i < count; i += kLanes<T>) {
      reduce<T>(magnitude(i), [&](const X& shifted, const X& h, const X& h_rest) __attribute__((always_inline)) {
        put(half_, i, on_each(TanhBits<T>::half_scale, shifted));
        put(sum_, i, h);
        put(rest_, i, h_rest);
      });
    }
  }

  template <class Finish>
  [[gnu::always_inline]] void invert_all(std::ptrdiff_t count, const Finish& finish) {
    for (std::ptrdiff_t i = 0; i < count; i += kLanes<T>) {
      denominator<T>(at(half_, i), at(sum_, i), at(rest_, i),
                     [&](const X&, const X& below, const X& below_rest) __attribute__((always_inline)) {
                       put(sum_, i, below);
                       put(rest_, i, below_rest);
                     });
    }
    for (std::ptrdiff_t i = 0; i < count; i += kLanes<T>) {
      invert<T>(at(sum_, i), at(rest_, i), [&](const X& inverse, const X& correction) __attribute__((always_inline)) {
        finish(i, at(half_, i), inverse, correction);
      });
    }
  }

  alignas(64) T half_[kMost], sum_[kMost], rest_[kMost];  // h, then the denominator
};

}  // namespace
}  // namespace elman
