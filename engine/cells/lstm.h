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

  // What of a gate alone is taken, in its place.
  template <class Gate, class Sigma, class Tanh>
  [[gnu::always_inline]] static void activate(Gates<Gate>& gates, const Sigma& sigma, const Tanh& tanh) {
    sigma(gates.i), sigma(gates.f), tanh(gates.g), sigma(gates.o);
  }

  // What the step's tanh is of: c_t, where `before` is c_{t-1}.
  template <class X>
  [[gnu::always_inline]] static X combine(const Gates<X>& gates, const Apart<X>&, const X& before) {
    return multiply_add(gates.f, before, gates.i * gates.g);
  }

  // then(h_t, kept), where the second state is c_t by now.
  template <class X, class Then>
  [[gnu::always_inline]] static void step(const Gates<X>& gates, const Apart<X>&, const X& cell, const X& squashed,
                                          const Then& then) {
    then(gates.o * squashed, Kept<const X&>{gates.i, gates.f, gates.g, gates.o, cell});
  }

  // then(deltas, carried), where `carried` is what of dL/dc came from the step after, f_{t+1} dL/dc_{t+1}, and
  // `squashed` tanh(c_t).
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step_back(const Kept<X>& kept, const X& before, const X& d_hidden,
                                               const X& carried, const X& squashed, const Then& then) {
    const X one = on_each([](const auto&) { return broadcast(T(1)); }, before);
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
