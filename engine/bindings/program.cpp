// Programs from Python's numbers.
#include "elman/program.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "bindings/module.h"

namespace {

constexpr struct {
  const char* name;
  std::size_t arguments;
} kOperations[] = {
#define ELMAN_OPERATION(name, arguments) {#name, arguments},
    ELMAN_OPERATIONS(ELMAN_OPERATION)
#undef ELMAN_OPERATION
};

constexpr const char* kKinds[] = {
#define ELMAN_VALUE(name) #name,
    ELMAN_VALUES(ELMAN_VALUE)
#undef ELMAN_VALUE
};

using Lists = std::pair<std::vector<std::vector<int>>, std::vector<std::pair<int, int>>>;

elman::InstructionList list_of(const Lists& lists, const char* name) {
  elman::InstructionList list;
  for (std::size_t i = 0; i < lists.first.size(); ++i) {
    const std::vector<int>& numbers = lists.first[i];
    const std::string where = std::string(name) + " instruction " + std::to_string(i) + ": expected ";
    if (numbers.empty() || numbers[0] < 0 || static_cast<std::size_t>(numbers[0]) >= std::size(kOperations)) {
      throw std::invalid_argument(where + "an operation from 0 to " + std::to_string(std::size(kOperations) - 1) +
                                  ", got " + (numbers.empty() ? "none" : std::to_string(numbers[0])));
    }
    const auto& operation = kOperations[numbers[0]];
    if (numbers.size() - 1 != operation.arguments) {
      throw std::invalid_argument(where + std::to_string(operation.arguments) + " arguments of " + operation.name +
                                  ", got " + std::to_string(numbers.size() - 1));
    }
    elman::Instruction instruction{static_cast<elman::Operation>(numbers[0]), {}};
    for (std::size_t a = 0; a < operation.arguments; ++a) instruction.from[a] = numbers[a + 1];
    list.instructions.push_back(instruction);
  }
  for (const auto& [to, from] : lists.second) list.outputs.push_back({to, from});
  return list;
}

}  // namespace

void define_program(nb::module_& m) {
  m.def(
      "operations",
      [] {
        nb::typed<nb::dict, nb::str, nb::typed<nb::tuple, int, int>> all;
        int operation = 0;
        for (const auto& [name, arguments] : kOperations) all[name] = nb::make_tuple(operation++, arguments);
        return all;
      },
      "Of each operation of programs its number and how many arguments it takes.");
  m.def(
      "values",
      [] {
        nb::typed<nb::dict, nb::str, int> all;
        int kind = 0;
        for (const char* name : kKinds) all[name] = elman::kMostOfKind * kind++;
        return all;
      },
      "The first value of each kind that programs know: number i of it is i more.");
  nb::class_<elman::Program>(m, "Program", "A cell of one's own, checked: elman/program.h.")
      .def(
          "__init__",
          [](elman::Program* self, int gates, int apart, int states, int fed_back, int kept, int unit_inputs,
             int step_inputs, int row_inputs, std::vector<double> constants, const Lists& forward,
             const Lists& backward) {
            new (self) elman::Program(elman::ProgramText{gates, apart, states, fed_back, kept, unit_inputs, step_inputs,
                                                         row_inputs, std::move(constants), list_of(forward, "forward"),
                                                         list_of(backward, "backward")});
          },
          nb::kw_only(), "gates"_a = 1, "apart"_a = 0, "states"_a = 1, "fed_back"_a = 0, "kept"_a = 0,
          "unit_inputs"_a = 0, "step_inputs"_a = 0, "row_inputs"_a = 0, "constants"_a = std::vector<double>(),
          "forward"_a, "backward"_a = Lists(),
          "A list is (instructions, outputs): [(operation, argument, ...), ...] and [(to, from), ...].\n\n"
          "Raises ValueError for what cannot be run.")
      .def_prop_ro("gates", [](const elman::Program& self) { return self.text().gates; })
      .def_prop_ro("apart", [](const elman::Program& self) { return self.text().apart; })
      .def_prop_ro("states", [](const elman::Program& self) { return self.text().states; })
      .def_prop_ro("fed_back", [](const elman::Program& self) { return self.text().fed_back; })
      .def_prop_ro(
          "kept", [](const elman::Program& self) { return self.text().kept; },
          "What the lists say is kept; with the states but h, what `kept` of forward holds of a unit.")
      .def_prop_ro("unit_inputs", [](const elman::Program& self) { return self.text().unit_inputs; })
      .def_prop_ro("step_inputs", [](const elman::Program& self) { return self.text().step_inputs; })
      .def_prop_ro("row_inputs", [](const elman::Program& self) { return self.text().row_inputs; });
}
