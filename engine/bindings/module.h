// The parts of the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace nb = nanobind;
using namespace nb::literals;

void define_layer(nb::module_& m);
void define_program(nb::module_& m);
void define_network(nb::module_& m);
void define_output(nb::module_& m);
void define_pieces(nb::module_& m);
void define_tensors(nb::module_& m);
void define_tensor_forward(nb::module_& m);
void define_tensor_backward(nb::module_& m);
void define_tensor_linear(nb::module_& m);
void define_tensor_step(nb::module_& m);
