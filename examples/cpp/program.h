// A cell of one's own, as elman.save writes it beside a network's tensors: what a step computes, operation by
// operation.
//
//     {"gates":["a"],"states":["h"],"inputs":{"gain":"unit"},
//      "nodes":[["gate","a"],["unit","gain"],["multiply",0,1],["tanh",2]],"results":[3]}
//
// A node is an operation on nodes before it, or what a step is given. elman::Program sees to it that they fit.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elman/program.h"
#include "json.h"

// The program of a cell.
class CellProgram {
 public:
  using Names = std::vector<std::string>;

  // Throws json::Refusal.
  explicit CellProgram(const std::string& text) : reader_(text, "program") {
    reader_.expect('{');
    gates_ = names("gates");
    reader_.expect(',');
    states_ = names("states");
    reader_.expect(',');
    key("inputs");
    reader_.object([&](const std::string& name) {
      if (reader_.string() != "unit") throw json::Refusal("program: expected inputs by unit alone");
      unit_inputs_.push_back(name);
    });
    check_number(unit_inputs_.size(), 0, kMost, "inputs");
    std::sort(unit_inputs_.begin(), unit_inputs_.end());
    reader_.expect(',');
    key("nodes");
    reader_.array([&] { read_node(); });
    reader_.expect(',');
    key("results");
    auto& outputs = text_.forward.outputs;
    reader_.array([&] { outputs.push_back({value(elman::Kind::new_state, outputs.size()), read_place()}); });
    check_number(outputs.size(), states_.size(), states_.size(), "results");
    if (reader_.take(',')) {
      key("fed_back");
      const std::uint64_t fed_back = reader_.integer();
      if (fed_back >= states_.size())
        throw json::Refusal("program: expected a state to be fed back, got another value");
      text_.fed_back = static_cast<int>(fed_back);
    }
    reader_.expect('}');
    reader_.expect_end();
    text_.gates = static_cast<int>(gates_.size());
    text_.apart = static_cast<int>(apart_.size());
    text_.states = static_cast<int>(states_.size());
    text_.unit_inputs = static_cast<int>(unit_inputs_.size());
  }

  const Names& gates() const { return gates_; }
  const Names& states() const { return states_; }
  const Names& unit_inputs() const { return unit_inputs_; }
  bool is_recurrent() const { return is_recurrent_; }  // whether there is a weight_hh

  // For a layer of so many hidden units. Throws std::invalid_argument.
  elman::Program compile(std::uint64_t units) const {
    elman::ProgramText text = text_;
    for (const std::size_t constant : units_) text.constants[constant] = static_cast<double>(units);
    return elman::Program(std::move(text));
  }

 private:
  static constexpr std::uint64_t kMost = 256;  // nodes, or names of a kind

  static elman::Value value(elman::Kind kind, std::size_t which) {
    return static_cast<int>(kind) * elman::kMostOfKind + static_cast<int>(which);
  }

  static void check_number(std::size_t number, std::size_t least, std::size_t most, const std::string& of) {
    if (number >= least && number <= most) return;
    const std::string range =
        least == most ? std::to_string(least) : std::to_string(least) + " to " + std::to_string(most);
    throw json::Refusal("program: expected " + range + " " + of + ", got " + std::to_string(number));
  }

  void key(const std::string& name) {
    const std::string found = reader_.string();
    if (found != name) throw json::Refusal("program: expected " + name + ", got " + json::shown(found));
    reader_.expect(':');
  }

  Names names(const std::string& name) {
    Names all;
    key(name);
    reader_.array([&] { all.push_back(reader_.string()); });
    check_number(all.size(), 1, kMost, name);
    return all;
  }

  void read_node() {
    check_number(values_.size() + 1, 1, kMost, "nodes");
    reader_.expect('[');
    values_.push_back(read_value(reader_.string()));
    reader_.expect(']');
  }

  elman::Value read_value(const std::string& name) {
    if (name == "units") {
      units_.push_back(text_.constants.size());
      return constant(0);
    }
    if (name == "number") {
      reader_.expect(',');
      return constant(reader_.number());
    }
    const std::pair<std::string_view, std::pair<elman::Kind, const Names*>> leaves[] = {
        {"gate", {elman::Kind::sum, &gates_}},
        {"gate_input", {elman::Kind::from_input, &gates_}},
        {"gate_recurrent", {elman::Kind::from_hidden, &gates_}},
        {"state", {elman::Kind::state, &states_}},
        {"unit", {elman::Kind::unit_input, &unit_inputs_}},
    };
    for (const auto& [leaf, what] : leaves) {
      if (name == leaf) return read_leaf(what.first, *what.second);
    }
    return read_operation(name);
  }

  elman::Value constant(double number) {
    text_.constants.push_back(number);
    return value(elman::Kind::constant, text_.constants.size() - 1);
  }

  elman::Value read_leaf(elman::Kind kind, const Names& known) {
    reader_.expect(',');
    const std::string name = reader_.string();
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) throw json::Refusal("program: expected a name that it has, got " + json::shown(name));
    if (kind == elman::Kind::from_input || kind == elman::Kind::from_hidden) apart_.insert(name);
    if (kind == elman::Kind::sum || kind == elman::Kind::from_hidden) is_recurrent_ = true;
    return value(kind, static_cast<std::size_t>(found - known.begin()));
  }

  elman::Value read_operation(const std::string& name) {
#define ELMAN_OPERATION(name, arguments) {#name, elman::Operation::name, arguments},
    struct {
      std::string_view name;
      elman::Operation operation;
      std::size_t arguments;
    } static constexpr kOperations[] = {ELMAN_OPERATIONS(ELMAN_OPERATION)};
#undef ELMAN_OPERATION
    const std::string_view engines = name == "fma"         ? "multiply_add"
                                     : name == "abs"       ? "absolute"
                                     : name == "sum_units" ? "row_sum"
                                                           : name;
    for (const auto& known : kOperations) {
      if (known.name != engines) continue;
      elman::Instruction instruction{known.operation, {}};
      for (std::size_t i = 0; i < known.arguments; ++i) {
        reader_.expect(',');
        instruction.from[i] = read_place();
      }
      text_.forward.instructions.push_back(instruction);
      return value(elman::Kind::result, text_.forward.instructions.size() - 1);
    }
    throw json::Refusal("program: expected an operation that there is, got " + json::shown(name));
  }

  // What became of a node before.
  elman::Value read_place() {
    const std::uint64_t place = reader_.integer();
    if (place >= values_.size()) reader_.refuse("the place of a node that came before this");
    return values_[static_cast<std::size_t>(place)];
  }

  json::Reader reader_;
  Names gates_, states_, unit_inputs_;  // in their order; of the inputs it is the names'
  std::set<std::string> apart_;         // the gates that take both sums apart
  bool is_recurrent_ = false;
  elman::ProgramText text_;
  std::vector<elman::Value> values_;  // of each node
  std::vector<std::size_t> units_;    // the constants that are hidden_size
};
