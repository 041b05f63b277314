#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "dispatch/level.h"
#include "threads/pool.h"

namespace elman {
namespace {

struct Level {
  std::string_view name;
  bool (*present)();
  const Functions* functions;
};

const Level levels[] = {
#if defined(__x86_64__)
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
     },
     &functions_avx512},
    {"avx2", [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }, &functions_avx2},
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

// False when there is nothing to do.
bool check(const Sequence& sequence) {
  if (sequence.steps < 1) {
    throw std::invalid_argument("steps: expected at least 1, got " + std::to_string(sequence.steps));
  }
  const std::int64_t least = sequence.batch_sizes ? 1 : 0;
  if (sequence.batch < least) {
    throw std::invalid_argument("batch: expected at least " + std::to_string(least) + ", got " +
                                std::to_string(sequence.batch));
  }
  std::int64_t largest = sequence.batch;
  for (std::int64_t t = 0; sequence.batch_sizes && t < sequence.steps; ++t) {
    const std::int64_t rows = sequence.batch_sizes[t];
    if (rows < 1 || rows > largest || (t == 0 && rows != sequence.batch)) {
      throw std::invalid_argument("batch_sizes[" + std::to_string(t) + "]: expected " +
                                  (t == 0 ? "" : "from 1 to ") + std::to_string(largest) + ", got " +
                                  std::to_string(rows));
    }
    largest = rows;
  }
  return sequence.batch > 0;
}

template <class Call>
void run(const Call& call, void (*function)(const Call&)) {
  function(call);
  trim_workspace(Slot::call);
}

template <class T>
void clear_gradients(const Backward<T>& call) {
  const std::int64_t inputs = call.weights.input_size, units = call.weights.hidden_size;
  const auto clear = [](T* gradient, std::int64_t size) {
    for (std::int64_t i = 0; gradient && i < size; ++i) gradient[i] = 0;
  };
  clear(call.d_input_weights, units * inputs);
  clear(call.d_recurrent_weights, units * units);
  clear(call.d_bias, units);
}

}  // namespace

void forward(const Forward<float>& call) {
  if (check(call.sequence)) run(call, level().functions->forward_float);
}

void forward(const Forward<double>& call) {
  if (check(call.sequence)) run(call, level().functions->forward_double);
}

void backward(const Backward<float>& call) {
  const bool rows = check(call.sequence);
  clear_gradients(call);
  if (rows) run(call, level().functions->backward_float);
}

void backward(const Backward<double>& call) {
  const bool rows = check(call.sequence);
  clear_gradients(call);
  if (rows) run(call, level().functions->backward_double);
}

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
