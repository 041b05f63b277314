#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "dispatch/level.h"
#include "dispatch/sequence.h"
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

template <class T>
void clear_gradients(const Backward<T>& call) {
  const std::int64_t inputs = call.weights.input_size, units = call.weights.hidden_size;
  const std::int64_t rows = sizes(call.cell).gates * units;
  const auto clear = [](T* gradient, std::int64_t size) {
    for (std::int64_t i = 0; gradient && i < size; ++i) gradient[i] = 0;
  };
  clear(call.d_input_weights, rows * inputs);
  clear(call.d_recurrent_weights, rows * units);
  clear(call.d_bias, rows);
  clear(call.d_recurrent_bias, rows);
}

template <class T>
void run_forward(const Forward<T>& call) {
  if (!check(call.sequence)) return;
  const WorkspaceUse of_call(Slot::call), of_tasks(Slot::task);
  if (call.packed) {
    of<T>(call.packed->functions()).forward(call, call.packed->layer());
  } else {
    const FunctionsOf<T>& functions = of<T>(*level().functions);
    const std::int64_t size = functions.packed_size(call.weights, sizes(call.cell));
    const WorkspaceUse of_weights(Slot::weights);
    const LayerWeights<T> weights = [&] {
      const Timed timed(Phase::packing);
      return functions.pack(call.weights, sizes(call.cell), workspace_of<T>(Slot::weights, size), call.threads);
    }();
    functions.forward(call, weights);
  }
}

template <class T>
void run_backward(const Backward<T>& call) {
  if (!check(call.sequence)) return clear_gradients(call);
  if (sizes(call.cell).kept > 0 && !call.kept) {
    throw std::invalid_argument("kept: expected what the forward pass wrote there, got null");
  }
  const WorkspaceUse of_call(Slot::call), of_tasks(Slot::task);
  of<T>(*level().functions).backward(call);
}

void release(void* memory) { ::operator delete(memory, std::align_val_t{64}); }

}  // namespace

template <class T>
PackedWeights<T>::PackedWeights(const Weights<T>& weights, Cell cell)
    : functions_(level().functions), memory_(nullptr, release) {
  const auto size = static_cast<std::size_t>(of<T>(*functions_).packed_size(weights, sizes(cell)));
  memory_.reset(static_cast<T*>(::operator new(size * sizeof(T), std::align_val_t{64})));
  layer_ = std::make_unique<LayerWeights<T>>(of<T>(*functions_).pack(weights, sizes(cell), memory_.get(), 1));
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
