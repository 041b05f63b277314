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

  // then(h_t, kept), where `sums` are a_r, a_z and u_n, `before` is h_{t-1}.
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step(const Gates<X>& sums, const Apart<X>& recurrent, const X& before,
                                          const Then& then) {
    const X r = sigma<T>(sums.r), z = sigma<T>(sums.z);
    const X n = tanh<T>(multiply_add(r, recurrent.n, sums.n));
    then(multiply_add(z, before - n, n), Kept<const X&>{r, z, n, recurrent.n});
  }

  // then(deltas, carried), where `carried` is what of dL/dh came past W_hh, z_{t+1} dL/dh_{t+1}.
  template <class T, class X, class Then>
  [[gnu::always_inline]] static void step_back(const Kept<X>& kept, const X& before, const X& from_product,
                                               const X& carried, const Then& then) {
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
