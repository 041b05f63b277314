// Long short-term memory (Hochreiter and Schmidhuber 1997, Gers et al. 2000):
//
//     i, f, o = sigma(a_i), sigma(a_f), sigma(a_o)    g = tanh(a_g)    c = f c_{t-1} + i g    h = o tanh(c)
#pragma once

#include "simd/sigma.h"

namespace elman {
namespace {

struct LstmCell {
  template <class X>
  struct Gates {
    X i, f, g, o;
  };
  template <class X>
  struct Apart {};
  template <class X>
  struct Kept {
    X i, f, g, o, cell;
  };
  template <class X>
  struct Deltas {
    X i, f, g, o;
  };

  // then(h_t, kept), where `before` is c_{t-1}.
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step(const Gates<X>& sums, const Apart<X>&, const X& before, const Then& then) {
    const X i = sigma<T>(sums.i), f = sigma<T>(sums.f), g = tanh<T>(sums.g), o = sigma<T>(sums.o);
    const X cell = multiply_add(f, before, i * g);
    then(o * tanh<T>(cell), Kept<const X&>{i, f, g, o, cell});
  }

  // then(deltas, carried), where `carried` is what of dL/dc came from the step after, f_{t+1} dL/dc_{t+1}.
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step_back(const Kept<X>& kept, const X& before, const X& d_hidden,
                                               const X& carried, const Then& then) {
    const X one = on_each([](const auto&) { return broadcast(T(1)); }, before);
    const X squashed = tanh<T>(kept.cell);
    const X d_cell = multiply_add(d_hidden * kept.o, multiply_add(-squashed, squashed, one), carried);
    const X d_i = d_cell * kept.g * (kept.i * (one - kept.i));
    const X d_f = d_cell * before * (kept.f * (one - kept.f));
    const X d_g = d_cell * kept.i * multiply_add(-kept.g, kept.g, one);
    const X d_o = d_hidden * squashed * (kept.o * (one - kept.o));
    then(Deltas<const X&>{d_i, d_f, d_g, d_o}, d_cell * kept.f);
  }
};

}  // namespace
}  // namespace elman
