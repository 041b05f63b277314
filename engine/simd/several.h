// Vectors side by side. An operation is done on each of them before the next operation, so that in a long chain of
// operations none waits for its own result.
#pragma once

#include <utility>

#include "simd/vector.h"

namespace elman {
namespace {

// As many as leave the registers of the instruction set room for what a chain holds.
inline constexpr int kSideBySide = ELMAN_VECTOR_BYTES == 64 ? 4 : 2;

template <class V, int kCount>
struct Several {
  V each[kCount];
};

// 0 for what is not several.
template <class X>
inline constexpr int how_many = 0;
template <class V, int kCount>
inline constexpr int how_many<Several<V, kCount>> = kCount;

template <class V>
[[gnu::always_inline]] inline const V& nth(const V& same, int) {
  return same;
}
template <class V, int kCount>
[[gnu::always_inline]] inline const V& nth(const Several<V, kCount>& several, int i) {
  return several.each[i];
}

// f(0), f(1), ...
template <int kCount, class F>
[[gnu::always_inline]] inline auto several_of(const F& f) {
  return [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    return Several<decltype(f(0)), kCount>{{f(i)...}};
  }(std::make_integer_sequence<int, kCount>{});
}

// f of each; arguments that are not several are the same for each.
template <class F, class... X>
[[gnu::always_inline]] inline auto on_each(const F& f, const X&... x) {
  constexpr int kCount = (how_many<X> | ...);
  return several_of<kCount>([&](int i) __attribute__((always_inline)) { return f(nth(x, i)...); });
}

// The operators of a vector, for several and for several with one that is the same for each.
template <class A, class B>
concept AnySeveral = how_many<A> > 0 || how_many<B> > 0;

template <class A, class B>
  requires AnySeveral<A, B>
[[gnu::always_inline]] inline auto operator+(const A& a, const B& b) {
  return on_each([](const auto& x, const auto& y) __attribute__((always_inline)) { return x + y; }, a, b);
}
template <class A, class B>
  requires AnySeveral<A, B>
[[gnu::always_inline]] inline auto operator-(const A& a, const B& b) {
  return on_each([](const auto& x, const auto& y) __attribute__((always_inline)) { return x - y; }, a, b);
}
template <class A, class B>
  requires AnySeveral<A, B>
[[gnu::always_inline]] inline auto operator*(const A& a, const B& b) {
  return on_each([](const auto& x, const auto& y) __attribute__((always_inline)) { return x * y; }, a, b);
}
template <class A, class B>
  requires AnySeveral<A, B>
[[gnu::always_inline]] inline auto operator/(const A& a, const B& b) {
  return on_each([](const auto& x, const auto& y) __attribute__((always_inline)) { return x / y; }, a, b);
}
template <class V, int kCount>
[[gnu::always_inline]] inline auto operator-(const Several<V, kCount>& a) {
  return on_each([](const auto& x) __attribute__((always_inline)) { return -x; }, a);
}
template <class A, class B, class C>
  requires AnySeveral<A, B>
[[gnu::always_inline]] inline auto multiply_add(const A& a, const B& b, const C& c) {
  return on_each([](const auto& x, const auto& y, const auto& z)
                     __attribute__((always_inline)) { return multiply_add(x, y, z); },
                 a, b, c);
}

// Whether any lane of any is above a number; NaN is not.
template <class T, class V, int kCount>
[[gnu::always_inline]] inline bool any_above(const Several<V, kCount>& several, T limit) {
  auto above = several.each[0] > limit;
#pragma GCC unroll 8
  for (int i = 1; i < kCount; ++i) above |= several.each[i] > limit;
  return any(above);
}

template <int kCount, class T>
[[gnu::always_inline]] inline Several<Vector<T>, kCount> load_several(const T* from) {
  return several_of<kCount>([&](int i) __attribute__((always_inline)) { return load(from + i * kLanes<T>); });
}

template <class T, int kCount>
[[gnu::always_inline]] inline void store_several(T* to, const Several<Vector<T>, kCount>& values) {
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) store(to + i * kLanes<T>, values.each[i]);
}

// Of one vector the first `lanes`, of several whole ones.
template <int kCount, class T>
[[gnu::always_inline]] inline Several<Vector<T>, kCount> load_several(const T* from, int lanes) {
  if constexpr (kCount == 1) {
    return {{load(from, 1, lanes)}};
  } else {
    return load_several<kCount>(from);
  }
}
template <class T, int kCount>
[[gnu::always_inline]] inline void store_several(T* to, int lanes, const Several<Vector<T>, kCount>& values) {
  if constexpr (kCount == 1) {
    store(to, lanes, values.each[0]);
  } else {
    store_several<T>(to, values);
  }
}

}  // namespace
}  // namespace elman
