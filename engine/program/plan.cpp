#include "program/plan.h"

#include <array>
#include <utility>

namespace elman {
namespace {

constexpr int kMostNodes = kMostInstructions + kMostOutputs;
constexpr int kNone = -1;

Kind kind_of(Value value) { return static_cast<Kind>(value / kMostOfKind); }
int index_of(Value value) { return value % kMostOfKind; }

constexpr int kArguments[] = {
#define ELMAN_OPERATION(name, arguments) arguments,
    ELMAN_PLANNED(ELMAN_OPERATION)
#undef ELMAN_OPERATION
};

class Planner {
 public:
  Planner(const InstructionList& list, bool in_place, Plan& plan) : in_place_(in_place), plan_(plan) {
    for (const Instruction& instruction : list.instructions) {
      const auto [a, b, c] = instruction.from;
      nodes_[count_++] = {static_cast<Planned>(instruction.operation), {a, b, c}};
    }
    plan_.instruction_count = plan_.place_count = plan_.registers = plan_.unit_values = 0;
    plan_.takes_whole_rows = false;
  }

  // An output that is asked for. What is no result is copied, so that each output is the result of a node.
  void want(const Output& output) {
    Value from = output.from;
    if (kind_of(from) != Kind::result) {
      nodes_[count_] = {Planned::copy, {from}};
      from = count_++;
    }
    outputs_[output_count_++] = {output.to, from};
  }

  void run() {
    fold_negations();
    find_live();
    find_unit_values();
    join();
    find_live();
    find_targets();
    for (const bool is_once : {true, false}) {
      for (int node = 0; node < count_; ++node) {
        if (nodes_[node].is_live && nodes_[node].is_of_units == is_once) emit(node);
      }
    }
    for (int i = 0; i < output_count_; ++i) {
      const auto [to, from] = outputs_[i];
      if (nodes_[from].target == i) continue;
      const std::uint16_t into = place(kind_of(to), index_of(to)), of = nodes_[from].place;
      if (kind_of(to) == Kind::d_row_input) {  // a sum over the steps
        append({Planned::add, into, {into, of, 0, 0}});
      } else {
        append({Planned::copy, into, {of, 0, 0, 0}});
      }
    }
  }

 private:
  struct Node {
    Planned operation{};
    std::array<Value, 4> from{};
    bool is_live = false;
    bool is_of_units = false;  // the same for every row and step
    int uses = 0;              // as an argument of those that are live, or an output
    int target = kNone;        // the output that it is written to itself, else it goes to a register
    int last_use = kNone;      // the node that reads it last
    std::uint16_t place = 0;
    int reg = kNone;
  };

  template <class F>
  void on_arguments(const Node& node, const F& f) {
    const int arguments = kArguments[static_cast<int>(node.operation)];
    for (int i = 0; i < arguments; ++i) f(i, node.from[static_cast<std::size_t>(i)]);
  }

  // The node of which a value is the result, where it does this; else null.
  const Node* does(Planned operation, Value value) const {
    return kind_of(value) == Kind::result && nodes_[value].operation == operation ? &nodes_[value] : nullptr;
  }

  // a + (-b) is a - b, (-a) b + c is c - a b, to the bit.
  void fold_negations() {
    for (int at = 0; at < count_; ++at) {
      Node& node = nodes_[at];
      auto& [a, b, c, d] = node.from;
      if (node.operation == Planned::add) {
        if (does(Planned::negate, a)) std::swap(a, b);
        if (const Node* negated = does(Planned::negate, b)) {
          node.operation = Planned::subtract;
          b = negated->from[0];
        }
      } else if (node.operation == Planned::multiply_add) {
        if (does(Planned::negate, b)) std::swap(a, b);
        if (const Node* negated = does(Planned::negate, a)) {
          node.operation = Planned::negated_multiply_add;
          a = negated->from[0];
        }
      }
    }
  }

  // Values that are the same for every row and step.
  void find_unit_values() {
    for (int at = 0; at < count_; ++at) {
      Node& node = nodes_[at];
      node.is_of_units = node.operation != Planned::row_sum;
      on_arguments(node, [&](int, Value from) {
        const Kind kind = kind_of(from);
        node.is_of_units &=
            kind == Kind::constant || kind == Kind::unit_input || (kind == Kind::result && nodes_[from].is_of_units);
      });
    }
  }

  // What one node alone takes becomes a part of it, where there is an operation that does both.
  void join() {
    for (int at = 0; at < count_; ++at) {
      Node& node = nodes_[at];
      if (!node.is_live) continue;
      const auto [a, b, c, d] = node.from;
      if (node.operation == Planned::multiply) {
        if (joins_slope(node, a, b) || joins_slope(node, b, a)) continue;
        if (joins(node, a, b)) continue;
        joins(node, b, a);
      } else if (node.operation == Planned::add) {
        if (joins_products(node) || joins(node, a, b)) continue;
        joins(node, b, a);
      } else if (node.operation == Planned::subtract) {
        joins_products(node);
      }
    }
  }

  // The node of which a value is the result, where it does this and `node` alone takes it, as often; else null.
  const Node* part(const Node& node, Planned operation, Value value) const {
    const Node* const of = does(operation, value);
    return of && of->uses == 1 && of->is_of_units == node.is_of_units ? of : nullptr;
  }

  bool joins(Node& node, Value first, Value other) {
    const bool adds = node.operation == Planned::add;
    if (const Node* product = part(node, Planned::multiply, first)) {
      node.operation = adds ? Planned::multiply_then_add : Planned::multiply_multiply;
      node.from = {product->from[0], product->from[1], other};
      return true;
    }
    const Node* const difference = part(node, Planned::subtract, first);
    if (adds || !difference || difference->from[1] != other) return false;
    node.operation = Planned::multiply_complement;
    node.from = {other, difference->from[0]};
    return true;
  }

  bool joins_products(Node& node) {
    const Node* const first = part(node, Planned::multiply, node.from[0]);
    const Node* const second = part(node, Planned::multiply, node.from[1]);
    if (!first || !second) return false;
    node.operation = node.operation == Planned::add ? Planned::add_products : Planned::subtract_products;
    node.from = {first->from[0], first->from[1], second->from[0], second->from[1]};
    return true;
  }

  // What comes back to sigma or tanh times its slope there.
  bool joins_slope(Node& node, Value gradient, Value slope) {
    const Node* const of_sigma = part(node, Planned::multiply_complement, slope);
    const Node* const of_tanh = part(node, Planned::negated_multiply_add, slope);
    if (!of_sigma && !(of_tanh && of_tanh->from[0] == of_tanh->from[1])) return false;
    const Value at = of_sigma ? of_sigma->from[0] : of_tanh->from[0];
    const Value one = of_sigma ? of_sigma->from[1] : of_tanh->from[2];
    if (const Node* product = part(node, Planned::multiply, gradient)) {
      node.operation = of_sigma ? Planned::product_through_sigma : Planned::product_through_tanh;
      node.from = {product->from[0], at, one, product->from[1]};
    } else {
      node.operation = of_sigma ? Planned::through_sigma : Planned::through_tanh;
      node.from = {gradient, at, one};
    }
    return true;
  }

  void find_live() {
    for (int at = 0; at < count_; ++at) {
      nodes_[at].is_live = false;
      nodes_[at].uses = 0;
      nodes_[at].last_use = kNone;
    }
    for (int i = 0; i < output_count_; ++i) {
      Node& node = nodes_[outputs_[i].from];
      node.is_live = true;
      ++node.uses;
    }
    for (int at = count_ - 1; at >= 0; --at) {
      if (!nodes_[at].is_live) continue;
      on_arguments(nodes_[at], [&](int, Value from) {
        if (kind_of(from) != Kind::result) return;
        Node& argument = nodes_[from];
        argument.is_live = true;
        ++argument.uses;
        if (argument.last_use < at) argument.last_use = at;
      });
    }
  }

  // The first output of a node is written by it, unless what lies there is still to be read or it is run only once; the
  // others are copied when all else is done.
  void find_targets() {
    for (int i = 0; i < output_count_; ++i) {
      const auto [to, from] = outputs_[i];
      const bool is_own = nodes_[from].target == kNone && !nodes_[from].is_of_units;
      if (is_own && kind_of(to) != Kind::d_row_input && !is_read_after(to, from)) {
        nodes_[from].target = i;
      } else {
        nodes_[from].last_use = kMostNodes;
      }
    }
  }

  // Whether an output lies where a state does that is read after node `at`.
  bool is_read_after(Value to, int at) {
    if (!in_place_ || index_of(to) == 0) return false;
    Kind before{};
    if (kind_of(to) == Kind::new_state) {
      before = Kind::state;
    } else if (kind_of(to) == Kind::d_state) {
      before = Kind::d_new_state;
    } else {
      return false;
    }
    bool is_read = false;
    for (int node = at + 1; node < count_; ++node) {
      if (!nodes_[node].is_live) continue;
      on_arguments(nodes_[node],
                   [&](int, Value from) { is_read |= kind_of(from) == before && index_of(from) == index_of(to); });
    }
    return is_read;
  }

  void emit(int at) {
    Node& node = nodes_[at];
    PlannedInstruction planned{node.operation, 0, {0, 0, 0, 0}};
    on_arguments(node, [&](int i, Value from) {
      planned.from[i] = kind_of(from) == Kind::result ? nodes_[from].place : place(kind_of(from), index_of(from));
    });
    on_arguments(node, [&](int, Value from) {
      if (kind_of(from) != Kind::result) return;
      Node& argument = nodes_[from];
      if (argument.reg == kNone || argument.last_use != at) return;
      free_[free_count_++] = argument.reg;
      argument.reg = kNone;
    });
    if (node.is_of_units) {
      node.place = place(Kind::unit_input, plan_.unit_inputs + plan_.unit_values++);
    } else if (node.target == kNone) {
      node.reg = free_count_ > 0 ? free_[--free_count_] : plan_.registers++;
      node.place = place(Kind::result, node.reg);
    } else {
      const Value to = outputs_[node.target].to;
      node.place = place(kind_of(to), index_of(to));
    }
    planned.to = node.place;
    plan_.takes_whole_rows |= planned.operation == Planned::row_sum;
    append(planned);
  }

  std::uint16_t place(Kind kind, int index) {
    int i = 0;
    while (i < plan_.place_count && (plan_.places[i].kind != kind || plan_.places[i].index != index)) ++i;
    if (i == plan_.place_count) plan_.places[plan_.place_count++] = {kind, static_cast<std::uint16_t>(index)};
    return static_cast<std::uint16_t>(i);
  }

  void append(const PlannedInstruction& planned) { plan_.instructions[plan_.instruction_count++] = planned; }

  bool in_place_;
  Plan& plan_;
  int count_ = 0, output_count_ = 0, free_count_ = 0;
  std::array<Node, kMostNodes> nodes_;
  std::array<Output, kMostOutputs> outputs_;
  std::array<int, kMostNodes> free_;
};

void describe(const Program& program, Plan& plan) {
  const ProgramText& text = program.text();
  plan.sizes = sizes(program);
  plan.unit_inputs = text.unit_inputs;
  plan.row_inputs = text.row_inputs;
  plan.fed_back = text.fed_back;
  plan.constants = text.constants.data();
  plan.carries_hidden = false;
  for (const Output& output : text.backward.outputs) {
    plan.carries_hidden |= output.to == static_cast<int>(Kind::d_state) * kMostOfKind;
  }
}

}  // namespace

CellSizes sizes(const Program& program) {
  const ProgramText& text = program.text();
  // all states but the first are kept too, behind the rest
  return {"program", text.gates, text.apart, text.states, text.kept + text.states - 1, false};
}

void plan_forward(const Program& program, bool keeps, Plan& plan) {
  describe(program, plan);
  Planner planner(program.text().forward, !keeps, plan);  // what is kept of states has places of its own
  for (const Output& output : program.text().forward.outputs) {
    if (keeps || kind_of(output.to) != Kind::kept) planner.want(output);
  }
  planner.run();
}

void plan_backward(const Program& program, const Wanted& wanted, Plan& plan) {
  describe(program, plan);
  Planner planner(program.text().backward, true, plan);
  for (const Output& output : program.text().backward.outputs) {
    const Kind kind = kind_of(output.to);
    std::uint32_t of_kind = ~0u;
    if (kind == Kind::d_unit_input) of_kind = wanted.unit_inputs;
    if (kind == Kind::d_step_input) of_kind = wanted.step_inputs;
    if (kind == Kind::d_row_input) of_kind = wanted.row_inputs;
    if (of_kind >> (index_of(output.to) % 32) & 1u) planner.want(output);
  }
  planner.run();
}

}  // namespace elman
