#include "bindings/module.h"

#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "bindings/released.h"
#include "elman/engine.h"
#include "threads/account.h"

NB_MODULE(_engine, m) {
#ifdef NDEBUG
  nb::set_leak_warnings(false);  // a daemon thread that holds a network at the end of the process is no fault
#endif
  m.doc() = "The engine of elman: private, use elman.nn or elman.runtime.";
  define_program(m);
  define_layer(m);
  define_network(m);
  define_output(m);
  define_pieces(m);
  define_tensors(m);
  define_tensor_forward(m);
  define_tensor_backward(m);
  define_tensor_linear(m);
  define_tensor_step(m);
  m.def("instruction_sets", &elman::instruction_sets, "The instruction sets that this machine has, best first.");
  m.def("instruction_set", &elman::instruction_set, "The instruction set in use; the variable ELMAN_ISA forces one.");
  m.def("use_instruction_set", &elman::use_instruction_set, "name"_a,
        "Use another instruction set from now on.\n\nRaises ValueError, naming the choices, for any other.");
  m.def("release_memory", &elman::release_memory, nb::call_guard<Released>(),
        "Give back the working memory that is kept between calls, of all threads.");
  m.def(
      "take_account",
      [] {
        std::int64_t nanoseconds[elman::kPhases];
        elman::take_account(nanoseconds);
        constexpr const char* kNames[] = {"packing", "input projection", "recurrent steps", "input gradients",
                                          "weight gradients"};
        nb::typed<nb::dict, nb::str, int> account;
        for (int i = 0; elman::kAccount && i < elman::kPhases; ++i) account[kNames[i]] = nanoseconds[i];
        return account;
      },
      "Nanoseconds that this thread's calls took since the last time, phase by phase; empty but in a build with "
      "ELMAN_ACCOUNT.");
  static_cast<void>(elman::instruction_set());  // a wrong ELMAN_ISA is told at import
}
