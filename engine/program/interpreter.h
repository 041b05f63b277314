// Runs a plan over the rows of a step, in blocks of rows and units that stay in the first-level cache: each instruction
// passes over a block before the next one does. No result hangs on how the blocks are cut.
#pragma once

#include "program/operations.h"
#include "program/plan.h"
#include "recurrence/schedule.h"
#include "tile/product.h"

namespace elman {
namespace {

// Where a value lies: of the rows of a step, `row` elements apart, the units side by side; a constant is one vector
// that is read again and again.
template <class T>
struct Operand {
  T* data;
  std::ptrdiff_t row, unit;
};

template <class T>
class Interpreter {
 public:
  struct Places {
    Layout::Place<Operand<T>> operands;
    Layout::Place<T*> blocks;
    Layout::Place<int> given;
    Layout::Place<T> registers, constants, unit_values;
  };

  // For some of the units, so many.
  static Places reserve(Layout& layout, const Plan& plan, std::int64_t units) {
    const std::int64_t count = plan.place_count;
    return {layout.reserve<Operand<T>>(count),    layout.reserve<T*>(count),
            layout.reserve<int>(count),           layout.reserve<T>(plan.registers * block_size(plan, units)),
            layout.reserve<T>(count * kConstant), layout.reserve<T>(plan.unit_values * units)};
  }

  Interpreter() = default;

  // of_units: what is given for each unit, from the first that there is.
  Interpreter(const Layout& layout, const Places& places, const Plan& plan, Units which, const T* const* of_units)
      : plan_(&plan),
        first_unit_(which.begin),
        units_(which.end - which.begin),
        operands_(layout[places.operands]),
        blocks_(layout[places.blocks]),
        given_(layout[places.given]) {
    const std::int64_t units = units_;
    unit_step_ = plan.takes_whole_rows ? units : smaller(units, kUnits);
    row_step_ = larger(1, kElements / unit_step_);
    for (int i = 0; i < plan.place_count; ++i) {
      const auto [kind, index] = plan.places[i];
      operands_[i] = {nullptr, 0, 0};
      if (kind == Kind::result) {
        operands_[i] = {layout[places.registers] + index * block_size(plan, units), width(plan, units), 1};
      } else if (kind == Kind::constant) {
        T* const constant = layout[places.constants] + i * kConstant;
        for (int lane = 0; lane < kConstant; ++lane) constant[lane] = static_cast<T>(plan.constants[index]);
        operands_[i] = {constant, 0, 0};
      } else if (kind == Kind::unit_input && index < plan.unit_inputs) {
        operands_[i] = {const_cast<T*>(of_units[index]) + first_unit_, 0, 1};
      } else if (kind == Kind::unit_input) {
        operands_[i] = {layout[places.unit_values] + (index - plan.unit_inputs) * units, 0, 1};
      } else {
        given_[given_count_++] = i;
      }
      blocks_[i] = operands_[i].data;
    }
    run_blocks(1, 0, plan.unit_values);
  }

  Units units() const { return {first_unit_, first_unit_ + units_}; }

  // Runs over `rows` rows; find(kind, index) says where the values lie that it does not know, from the first unit on.
  template <class Find>
  void run(std::int64_t rows, const Find& find) const {
    for (int i = 0; i < given_count_; ++i) {
      const int place = given_[i];
      const auto [kind, index] = plan_->places[place];
      const Operand<T> operand = find(kind, static_cast<int>(index));
      blocks_[place] = operand.data + first_unit_;
      operands_[place] = {blocks_[place], operand.row, operand.unit};
    }
    run_blocks(rows, plan_->unit_values, plan_->instruction_count);
  }

 private:
  static constexpr std::int64_t kUnits = 256, kElements = 512;
  static constexpr int kConstant = kSideBySide * kLanes<T>;

  struct Block {
    std::int64_t rows, units;
  };

  // Elements of a row of a register, and of all its rows.
  static std::int64_t width(const Plan& plan, std::int64_t units) {
    return panels(plan.takes_whole_rows ? units : smaller(units, kUnits), 16) * 16;
  }
  static std::int64_t block_size(const Plan& plan, std::int64_t units) {
    const std::int64_t step = plan.takes_whole_rows ? units : smaller(units, kUnits);
    return larger(1, kElements / step) * width(plan, units);
  }

  // The instructions begin to end - 1.
  void run_blocks(std::int64_t rows, int begin, int end) const {
    const auto run_block = [&](const Block& block) {
      for (int i = begin; i < end; ++i) run_instruction(plan_->instructions[i], block);
    };
    if (rows <= row_step_ && units_ <= unit_step_) return run_block({rows, units_});
    for (std::int64_t row = 0; row < rows; row += row_step_) {
      for (std::int64_t unit = 0; unit < units_; unit += unit_step_) {
        for (int i = 0; i < plan_->place_count; ++i) {
          const Operand<T>& operand = operands_[i];
          if (plan_->places[i].kind != Kind::result)
            blocks_[i] = operand.data + row * operand.row + unit * operand.unit;
        }
        run_block({smaller(row_step_, rows - row), smaller(unit_step_, units_ - unit)});
      }
    }
  }

#define ELMAN_ON_EACH(...) [](const auto&... x) __attribute__((always_inline)) { return on_each(__VA_ARGS__, x...); }
  void run_instruction(const PlannedInstruction& instruction, const Block& block) const {
    using Do = Operations<T>;
    const auto of_one = [&](const auto& f) __attribute__((always_inline)) { each<1>(instruction, block, f); };
    const auto of_two = [&](const auto& f) __attribute__((always_inline)) { each<2>(instruction, block, f); };
    const auto of_three = [&](const auto& f) __attribute__((always_inline)) { each<3>(instruction, block, f); };
    const auto of_four = [&](const auto& f) __attribute__((always_inline)) { each<4>(instruction, block, f); };
    switch (instruction.operation) {
      case Planned::copy: return of_one([](const auto& a) __attribute__((always_inline)) { return a; });
      case Planned::add:
        return of_two([](const auto& a, const auto& b) __attribute__((always_inline)) { return a + b; });
      case Planned::subtract:
        return of_two([](const auto& a, const auto& b) __attribute__((always_inline)) { return a - b; });
      case Planned::multiply:
        return of_two([](const auto& a, const auto& b) __attribute__((always_inline)) { return a * b; });
      case Planned::divide:
        return of_two([](const auto& a, const auto& b) __attribute__((always_inline)) { return a / b; });
      case Planned::multiply_add:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return multiply_add(a, b, c); });
      case Planned::negated_multiply_add:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return multiply_add(-a, b, c); });
      case Planned::negate: return of_one([](const auto& a) __attribute__((always_inline)) { return -a; });
      case Planned::absolute: return of_one(ELMAN_ON_EACH(Do::absolute));
      case Planned::minimum: return of_two(ELMAN_ON_EACH(Do::minimum));
      case Planned::maximum: return of_two(ELMAN_ON_EACH(Do::maximum));
      case Planned::less: return of_two(ELMAN_ON_EACH(Do::less));
      case Planned::less_equal: return of_two(ELMAN_ON_EACH(Do::less_equal));
      case Planned::equal: return of_two(ELMAN_ON_EACH(Do::equal));
      case Planned::select: return of_three(ELMAN_ON_EACH(Do::select));
      case Planned::exp: return of_one([](const auto& a) __attribute__((always_inline)) { return exponential<T>(a); });
      case Planned::log: return of_one([](const auto& a) __attribute__((always_inline)) { return logarithm<T>(a); });
      case Planned::sqrt: return of_one(ELMAN_ON_EACH(Do::square_root));
      case Planned::tanh: return of_one([](const auto& a) __attribute__((always_inline)) { return tanh<T>(a); });
      case Planned::sigma: return of_one([](const auto& a) __attribute__((always_inline)) { return sigma<T>(a); });
      case Planned::softplus:
        return of_one([](const auto& a) __attribute__((always_inline)) { return softplus<T>(a); });
      case Planned::relu: return of_one(ELMAN_ON_EACH(Do::relu));
      case Planned::row_sum: return sum_rows(instruction, block);
      case Planned::multiply_multiply:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return a * b * c; });
      case Planned::multiply_then_add:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return a * b + c; });
      case Planned::multiply_complement:
        return of_two([](const auto& a, const auto& b) __attribute__((always_inline)) { return a * (b - a); });
      case Planned::add_products:
        return of_four([](const auto& a, const auto& b, const auto& c, const auto& d)
                           __attribute__((always_inline)) { return a * b + c * d; });
      case Planned::subtract_products:
        return of_four([](const auto& a, const auto& b, const auto& c, const auto& d)
                           __attribute__((always_inline)) { return a * b - c * d; });
      case Planned::through_sigma:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return a * (b * (c - b)); });
      case Planned::product_through_sigma:
        return of_four([](const auto& a, const auto& b, const auto& c, const auto& d)
                           __attribute__((always_inline)) { return (a * d) * (b * (c - b)); });
      case Planned::through_tanh:
        return of_three([](const auto& a, const auto& b, const auto& c)
                            __attribute__((always_inline)) { return a * multiply_add(-b, b, c); });
      case Planned::product_through_tanh:
        return of_four([](const auto& a, const auto& b, const auto& c, const auto& d)
                           __attribute__((always_inline)) { return (a * d) * multiply_add(-b, b, c); });
    }
  }
#undef ELMAN_ON_EACH

  // f of each vector of the block, of several at once as far as they go.
  template <int kArguments, class F>
  [[gnu::always_inline]] void each(const PlannedInstruction& instruction, const Block& block, const F& f) const {
    const Operand<T>& of_to = operands_[instruction.to];
    const T* from[kArguments];
    std::ptrdiff_t rows_apart[kArguments], unit[kArguments];
#pragma GCC unroll 4
    for (int i = 0; i < kArguments; ++i) {
      const Operand<T>& operand = operands_[instruction.from[i]];
      from[i] = blocks_[instruction.from[i]];
      rows_apart[i] = operand.row;
      unit[i] = operand.unit;
    }
    std::int64_t rows = block.rows, units = block.units;
    if (rows > 1) {  // rows that lie behind one another are one
      bool is_one_row = of_to.row == units;
#pragma GCC unroll 4
      for (int i = 0; i < kArguments; ++i) is_one_row &= rows_apart[i] == units || unit[i] == 0;
      if (is_one_row) units *= rows, rows = 1;
    }
    T* to = blocks_[instruction.to];
    for (std::int64_t row = 0; row < rows; ++row, to += of_to.row) {
      std::int64_t at = 0;
      constexpr int kStep = kSideBySide * kLanes<T>;
      for (; at + kStep <= units; at += kStep) {
        store_several<T>(to + at, on_arguments<kArguments>(f, [&](int i) __attribute__((always_inline)) {
                           return load_several<kSideBySide>(from[i] + at * unit[i]);
                         }));
      }
      for (; at < units; at += kLanes<T>) {
        const int lanes = static_cast<int>(smaller(kLanes<T>, units - at));
        store_several<T>(to + at, lanes, on_arguments<kArguments>(f, [&](int i) __attribute__((always_inline)) {
                           return load_several<1>(from[i] + at * unit[i], lanes);
                         }));
      }
#pragma GCC unroll 4
      for (int i = 0; i < kArguments; ++i) from[i] += rows_apart[i];
    }
  }

  template <int kArguments, class F, class Load>
  [[gnu::always_inline]] static auto on_arguments(const F& f, const Load& argument) {
    if constexpr (kArguments == 1) {
      return f(argument(0));
    } else if constexpr (kArguments == 2) {
      return f(argument(0), argument(1));
    } else if constexpr (kArguments == 3) {
      return f(argument(0), argument(1), argument(2));
    } else {
      return f(argument(0), argument(1), argument(2), argument(3));
    }
  }

  void sum_rows(const PlannedInstruction& instruction, const Block& block) const {
    const Operand<T>&of_to = operands_[instruction.to], &of_from = operands_[instruction.from[0]];
    for (std::int64_t row = 0; row < block.rows; ++row) {
      const T sum = sum_of_row(blocks_[instruction.from[0]] + row * of_from.row, of_from.unit, block.units);
      T* const to = blocks_[instruction.to] + row * of_to.row;
      for (std::int64_t unit = 0; unit < block.units; ++unit) to[unit] = sum;
    }
  }

  const Plan* plan_ = nullptr;
  std::int64_t first_unit_ = 0, units_ = 0, row_step_ = 1, unit_step_ = 1;
  Operand<T>* operands_ = nullptr;
  T** blocks_ = nullptr;
  int* given_ = nullptr;  // places that each run finds anew
  int given_count_ = 0;
};

}  // namespace
}  // namespace elman
