#include "elman/program.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "program/plan.h"

namespace elman {
namespace {

#define ELMAN_OPERATION(name, arguments) {#name, arguments},
constexpr struct {
  const char* name;
  int arguments;
} kOperations[] = {ELMAN_OPERATIONS(ELMAN_OPERATION)};
#undef ELMAN_OPERATION

#define ELMAN_VALUE(name) #name,
constexpr const char* kKinds[] = {ELMAN_VALUES(ELMAN_VALUE)};
#undef ELMAN_VALUE

template <class Array>
constexpr int count(const Array& array) {
  return static_cast<int>(std::size(array));
}

// Numbers of a kind from begin to end - 1.
struct Range {
  int begin = 0, end = 0;
  bool holds(int index) const { return index >= begin && index < end; }
};

// What a list may read or write. Results are known to its check alone.
class Values {
 public:
  Values(const ProgramText& text, bool backward) : text_(text), backward_(backward) {}

  Range read(Kind kind) const {
    switch (kind) {
      case Kind::constant: return {0, static_cast<int>(text_.constants.size())};
      case Kind::state: return {0, text_.states};
      case Kind::unit_input: return {0, text_.unit_inputs};
      case Kind::step_input: return {0, text_.step_inputs};
      case Kind::row_input: return {0, text_.row_inputs};
      case Kind::sum: return backward_ ? Range{} : added();
      case Kind::from_input:
      case Kind::from_hidden: return backward_ ? Range{} : apart();
      case Kind::new_state:
      case Kind::d_new_state: return backward_ ? Range{0, text_.states} : Range{};
      case Kind::kept: return backward_ ? Range{0, text_.kept} : Range{};
      default: return {};
    }
  }

  Range written(Kind kind) const {
    if (!backward_) {
      if (kind == Kind::new_state) return {0, text_.states};
      return kind == Kind::kept ? Range{0, text_.kept} : Range{};
    }
    switch (kind) {
      case Kind::d_state: return {0, text_.states};
      case Kind::d_sum: return added();
      case Kind::d_from_input:
      case Kind::d_from_hidden: return apart();
      case Kind::d_unit_input: return {0, text_.unit_inputs};
      case Kind::d_step_input: return {0, text_.step_inputs};
      case Kind::d_row_input: return {0, text_.row_inputs};
      default: return {};
    }
  }

  // Those that may not be left out.
  Range needed(Kind kind) const {
    const bool may_be_asked_for = kind == Kind::d_unit_input || kind == Kind::d_step_input || kind == Kind::d_row_input;
    if (may_be_asked_for) return {};
    const Range all = written(kind);
    return kind == Kind::d_state ? Range{1, all.end} : all;
  }

 private:
  Range added() const { return {0, text_.gates - text_.apart}; }
  Range apart() const { return {text_.gates - text_.apart, text_.gates}; }

  const ProgramText& text_;
  bool backward_;
};

class Check {
 public:
  Check(const InstructionList& list, const Values& values, const char* name)
      : list_(list), values_(values), name_(name) {}

  void run() const {
    limit("instructions", list_.instructions.size(), kMostInstructions);
    limit("outputs", list_.outputs.size(), kMostOutputs);
    for (std::size_t i = 0; i < list_.instructions.size(); ++i) check(list_.instructions[i], static_cast<int>(i));
    bool is_written[count(kKinds)][kMostOfKind] = {};
    for (std::size_t i = 0; i < list_.outputs.size(); ++i) {
      const Output& output = list_.outputs[i];
      const std::string where = std::string(name_) + " output " + std::to_string(i);
      if (!holds(output.to, &Values::written)) fail(where, "a value that this list gives", output.to);
      if (!is_readable(output.from, static_cast<int>(list_.instructions.size()))) {
        fail(where, "a value that this list may read", output.from);
      }
      bool& is_there = is_written[output.to / kMostOfKind][output.to % kMostOfKind];
      if (is_there) fail(where, "a value that no other output gives", output.to);
      is_there = true;
    }
    for (int kind = 0; kind < count(kKinds); ++kind) {
      const Range needed = values_.needed(static_cast<Kind>(kind));
      for (int index = needed.begin; index < needed.end; ++index) {
        if (is_written[kind][index]) continue;
        throw std::invalid_argument(std::string(name_) + " outputs: expected " + kKinds[kind] + " " +
                                    std::to_string(index) + ", got none");
      }
    }
  }

 private:
  void limit(const char* what, std::size_t got, int most) const {
    if (got <= static_cast<std::size_t>(most)) return;
    throw std::invalid_argument(std::string(name_) + " " + what + ": expected at most " + std::to_string(most) +
                                ", got " + std::to_string(got));
  }

  void check(const Instruction& instruction, int i) const {
    const int operation = static_cast<int>(instruction.operation);
    const std::string where = std::string(name_) + " instruction " + std::to_string(i);
    if (operation >= count(kOperations)) {
      throw std::invalid_argument(where + ": expected an operation from 0 to " +
                                  std::to_string(count(kOperations) - 1) + ", got " + std::to_string(operation));
    }
    for (int argument = 0; argument < kOperations[operation].arguments; ++argument) {
      const Value from = instruction.from[static_cast<std::size_t>(argument)];
      if (is_readable(from, i)) continue;
      fail(where + " (" + kOperations[operation].name + ")", "a value that is known before it", from);
    }
  }

  bool is_readable(Value value, int results) const {
    if (value >= 0 && value / kMostOfKind == static_cast<int>(Kind::result)) return value < results;
    return holds(value, &Values::read);
  }

  bool holds(Value value, Range (Values::*of)(Kind) const) const {
    if (value < 0 || value / kMostOfKind >= count(kKinds)) return false;
    return (values_.*of)(static_cast<Kind>(value / kMostOfKind)).holds(value % kMostOfKind);
  }

  [[noreturn]] static void fail(const std::string& where, const char* expected, Value got) {
    std::string name = std::to_string(got);
    if (got >= 0 && got / kMostOfKind < count(kKinds)) {
      name = std::string(kKinds[got / kMostOfKind]) + " " + std::to_string(got % kMostOfKind);
    }
    throw std::invalid_argument(where + ": expected " + expected + ", got " + name);
  }

  const InstructionList& list_;
  const Values& values_;
  const char* name_;
};

void limit(const char* what, int got, int least, int most) {
  if (got >= least && got <= most) return;
  throw std::invalid_argument(std::string(what) + ": expected from " + std::to_string(least) + " to " +
                              std::to_string(most) + ", got " + std::to_string(got));
}

const ProgramText& checked(const ProgramText& text) {
  limit("gates", text.gates, 1, kMostGates);
  limit("apart", text.apart, 0, text.gates);
  limit("states", text.states, 1, kMostStates);
  limit("fed_back", text.fed_back, 0, text.states - 1);
  limit("kept", text.kept, 0, kMostKeptValues);
  limit("unit_inputs", text.unit_inputs, 0, kMostUnitInputs);
  limit("step_inputs", text.step_inputs, 0, kMostStepInputs);
  limit("row_inputs", text.row_inputs, 0, kMostRowInputs);
  if (text.constants.size() > kMostConstants) {
    throw std::invalid_argument("constants: expected at most " + std::to_string(kMostConstants) + ", got " +
                                std::to_string(text.constants.size()));
  }
  Check(text.forward, Values(text, false), "forward").run();
  if (!text.backward.instructions.empty() || !text.backward.outputs.empty()) {
    Check(text.backward, Values(text, true), "backward").run();
  }
  return text;
}

}  // namespace

Program::Program(ProgramText text) : text_(std::move(text)) {
  checked(text_);
  for (std::size_t keeps : {0, 1}) {
    forward_[keeps] = std::make_unique<Plan>();
    plan_forward(*this, keeps == 1, *forward_[keeps]);
  }
}

Program::~Program() = default;

Program::Program(Program&&) noexcept = default;

}  // namespace elman
