// The gated recurrent unit (Cho et al. 2014, the recurrent bias inside the reset, as PyTorch has it):
//
//     r = sigma(a_r)    z = sigma(a_z)    n = tanh(u_n + r v_n)    h = (1 - z) n + z h_{t-1}
//
// where a = u + v are W_ih x + b_ih and W_hh h_{t-1} + b_hh of a gate.
#pragma once

#include "simd/sigma.h"

namespace elman {
namespace {

struct GruCell {
  template <class X>
  struct Gates {
    X r, z, n;
  };
  template <class X>
  struct Apart {
    X n;
  };
  template <class X>
  struct Kept {
    X r, z, n, recurrent_n;
  };
  // dL/du of the gates apart, dL/da of the others, dL/dv of those apart; the first three are W_ih's, the last three
  // W_hh's.
  template <class X>
  struct Deltas {
    X input_n, r, z, recurrent_n;
  };

  // What of a gate alone is taken, in its place.
  template <class Gate, class Sigma, class Tanh>
  [[gnu::always_inline]] static void activate(Gates<Gate>& gates, const Sigma& sigma, const Tanh&) {
    sigma(gates.r), sigma(gates.z);
  }

  // What the step's tanh is of, where `gates.n` is u_n.
  template <class X>
  [[gnu::always_inline]] static X combine(const Gates<X>& gates, const Apart<X>& recurrent, const X&) {
    return multiply_add(gates.r, recurrent.n, gates.n);
  }

  // then(h_t, kept), where `before` is h_{t-1}.
  template <class X, class Then>
  [[gnu::always_inline]] static void step(const Gates<X>& gates, const Apart<X>& recurrent, const X& before, const X& n,
                                          const Then& then) {
    then(multiply_add(gates.z, before - n, n), Kept<const X&>{gates.r, gates.z, n, recurrent.n});
  }

  // then(deltas, carried), where `carried` is what of dL/dh came past W_hh, z_{t+1} dL/dh_{t+1}.
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step_back(const Kept<X>& kept, const X& before, const X& from_product,
                                               const X& carried, const X&, const Then& then) {
    const X one = on_each([](const auto&) { return broadcast(T(1)); }, before);
    const X d_hidden = from_product + carried;
    const X d_n = d_hidden * (one - kept.z) * multiply_add(-kept.n, kept.n, one);
    const X d_z = d_hidden * (before - kept.n) * (kept.z * (one - kept.z));
    const X d_r = d_n * kept.recurrent_n * (kept.r * (one - kept.r));
    then(Deltas<const X&>{d_n, d_r, d_z, d_n * kept.r}, d_hidden * kept.z);
  }
};

}  // namespace
}  // namespace elman
