#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "dispatch/level.h"
#include "dispatch/sequence.h"
#include "program/plan.h"
#include "threads/account.h"
#include "threads/workspace.h"

#if defined(__x86_64__)
#include "dispatch/processor.h"
#endif

namespace elman {
namespace {

struct Level {
  std::string_view name;
  bool (*present)();
  const Functions* functions;
};

constexpr Level levels[] = {
#if defined(__x86_64__)
    {"avx512", [] { return this_processor().avx512; }, &functions_avx512},
    {"avx2", [] { return this_processor().avx2; }, &functions_avx2},
    {"x86-64", [] { return true; }, &functions_baseline},
#elif defined(__aarch64__)
    {"neon", [] { return true; }, &functions_baseline},
#else
    {"generic", [] { return true; }, &functions_baseline},
#endif
};

// `from` says where the name comes from.
const Level& find(std::string_view name, const std::string& from) {
  std::string choices;
  for (const Level& level : levels) {
    if (!level.present()) continue;
    if (level.name == name) return level;
    choices += (choices.empty() ? "" : ", ") + std::string(level.name);
  }
  throw std::invalid_argument(from + ": expected an instruction set of this machine (" + choices + "), got '" +
                              std::string(name) + "'");
}

const Level& first_choice() {
  if (const char* name = std::getenv("ELMAN_ISA"); name && *name) return find(name, "ELMAN_ISA");
  for (const Level& level : levels) {
    if (level.present()) return level;
  }
  throw std::runtime_error("no instruction set for this machine");
}

std::atomic<const Level*> in_use{nullptr};

const Level& level() {
  const Level* chosen = in_use.load(std::memory_order_acquire);
  if (!chosen) {
    chosen = &first_choice();
    in_use.store(chosen, std::memory_order_release);
  }
  return *chosen;
}

// Of a call of either pass.
template <class Call>
CellSizes sizes_of(const Call& call) {
  return call.program ? sizes(*call.program) : sizes(call.cell);
}

template <class T>
void clear_gradients(const Backward<T>& call) {
  const std::int64_t inputs = call.weights.input_size, units = call.weights.hidden_size;
  const std::int64_t rows = sizes_of(call).gates * units;
  const auto clear = [](T* gradient, std::int64_t size) {
    for (std::int64_t i = 0; gradient && i < size; ++i) gradient[i] = 0;
  };
  clear(call.d_input_weights, rows * inputs);
  clear(call.d_recurrent_weights, rows * units);
  clear(call.d_bias, rows);
  clear(call.d_recurrent_bias, rows);
  const int unit_inputs = call.program && call.d_unit_inputs ? call.program->text().unit_inputs : 0;
  for (int input = 0; input < unit_inputs; ++input) clear(call.d_unit_inputs[input], units);
}

// Bit i for an address i that is not null, of `count` or of none.
template <class Address>
std::uint32_t not_null(const Address* addresses, int count) {
  std::uint32_t bits = 0;
  for (int i = 0; addresses && i < count; ++i) bits |= addresses[i] ? 1u << i : 0u;
  return bits;
}

template <class T>
Wanted wanted(const Backward<T>& call) {
  const ProgramText& text = call.program->text();
  Wanted all{not_null(call.d_unit_inputs, text.unit_inputs), 0, not_null(call.d_row_inputs, text.row_inputs)};
  for (int i = 0; call.d_step_inputs && i < text.step_inputs; ++i) {
    all.step_inputs |= call.d_step_inputs[i].data ? 1u << i : 0u;
  }
  return all;
}

// Throws where the backward list does not give what a call asks for.
void check_gives(const Program& program, const Wanted& wanted) {
  if (!program.has_backward()) throw std::invalid_argument("program: expected one with a backward list");
  const auto all_given = [&](Kind kind, std::uint32_t bits, const char* what) {
    for (const Output& output : program.text().backward.outputs) {
      if (output.to / kMostOfKind == static_cast<int>(kind)) bits &= ~(1u << output.to % kMostOfKind);
    }
    if (bits) throw std::invalid_argument(std::string(what) + ": expected none that the backward list does not give");
  };
  all_given(Kind::d_unit_input, wanted.unit_inputs, "d_unit_inputs");
  all_given(Kind::d_step_input, wanted.step_inputs, "d_step_inputs");
  all_given(Kind::d_row_input, wanted.row_inputs, "d_row_inputs");
}

template <class T>
void run_forward(const Forward<T>& call) {
  if (!check(call.sequence)) return;
  const WorkspaceUse of_call(Slot::call), of_tasks(Slot::task);
  const Plan* const plan = call.program ? &call.program->forward_plan(call.kept != nullptr) : nullptr;
  if (call.packed) {
    of<T>(call.packed->functions()).forward(call, call.packed->layer(), plan);
  } else {
    const FunctionsOf<T>& functions = of<T>(*level().functions);
    const std::int64_t size = functions.packed_size(call.weights, sizes_of(call));
    const WorkspaceUse of_weights(Slot::weights);
    const LayerWeights<T> weights = [&] {
      const Timed timed(Phase::packing);
      return functions.pack(call.weights, sizes_of(call), workspace_of<T>(Slot::weights, size), call.threads,
                            &call.sequence);
    }();
    functions.forward(call, weights, plan);
  }
}

template <class T>
void run_backward(const Backward<T>& call) {
  if (!check(call.sequence)) return clear_gradients(call);
  if (sizes_of(call).kept > 0 && !call.kept) {
    throw std::invalid_argument("kept: expected what the forward pass wrote there, got null");
  }
  const WorkspaceUse of_weights(Slot::weights), of_call(Slot::call), of_tasks(Slot::task);
  const auto backward = of<T>(*level().functions).backward;
  if (!call.program) return backward(call, nullptr);
  const Wanted asked = wanted(call);
  check_gives(*call.program, asked);
  Plan plan;
  plan_backward(*call.program, asked, plan);
  backward(call, &plan);
}

void release(void* memory) { ::operator delete(memory, std::align_val_t{64}); }

}  // namespace

template <class T>
PackedWeights<T>::PackedWeights(const Weights<T>& weights, Cell cell) : PackedWeights(weights, sizes(cell)) {}

template <class T>
PackedWeights<T>::PackedWeights(const Weights<T>& weights, const Program& program)
    : PackedWeights(weights, sizes(program)) {}

template <class T>
PackedWeights<T>::PackedWeights(const Weights<T>& weights, const CellSizes& cell)
    : functions_(level().functions), memory_(nullptr, release) {
  const auto size = static_cast<std::size_t>(of<T>(*functions_).packed_size(weights, cell));
  memory_.reset(static_cast<T*>(::operator new(size * sizeof(T), std::align_val_t{64})));
  layer_ = std::make_unique<LayerWeights<T>>(of<T>(*functions_).pack(weights, cell, memory_.get(), 1, nullptr));
}

template <class T>
PackedWeights<T>::~PackedWeights() = default;

template <class T>
PackedWeights<T>::PackedWeights(PackedWeights&&) noexcept = default;

template class PackedWeights<float>;
template class PackedWeights<double>;

void forward(const Forward<float>& call) { run_forward(call); }
void forward(const Forward<double>& call) { run_forward(call); }
void backward(const Backward<float>& call) { run_backward(call); }
void backward(const Backward<double>& call) { run_backward(call); }

std::vector<std::string_view> instruction_sets() {
  std::vector<std::string_view> names;
  for (const Level& level : levels) {
    if (level.present()) names.push_back(level.name);
  }
  return names;
}

std::string_view instruction_set() { return level().name; }

void use_instruction_set(std::string_view name) { in_use.store(&find(name, "name"), std::memory_order_release); }

}  // namespace elman
