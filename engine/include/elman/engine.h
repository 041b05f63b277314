// The engine's public interface: one recurrent layer, one direction, forward and backward.
//
//     a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh        h_t = f(a_t)        f = tanh or relu
//
// Pointers are to elements of type T (float or double), aligned as T is and no more. Where a pointer may be null, that
// is said. Nothing but the outputs is written, and nothing that shows in a result is kept between calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace elman {

enum class Nonlinearity : std::uint8_t { tanh, relu };

// Which rows take part in which step. Padded input has `batch` rows at every step. Packed input has
// `batch_sizes[t]` rows at step t (never more than at step t - 1, never none), which lie behind one another.
struct Sequence {
  std::int64_t steps = 0;
  std::int64_t batch = 0;                     // rows at step 0
  const std::int64_t* batch_sizes = nullptr;  // (steps); null: padded
  bool reverse = false;                       // from the last step to the first
};

// Rows of features, one row a step and sequence. Strides count elements; any value goes, 0 and negative too.
// Packed rows are all `row_stride` apart and `step_stride` is not read.
template <class T>
struct Rows {
  T* data = nullptr;
  std::ptrdiff_t step_stride = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t feature_stride = 1;
};

template <class T>
struct Weights {
  std::int64_t input_size = 0;
  std::int64_t hidden_size = 0;
  const T* input = nullptr;           // W_ih (hidden_size, input_size), contiguous
  const T* recurrent = nullptr;       // W_hh (hidden_size, hidden_size), contiguous
  const T* input_bias = nullptr;      // b_ih (hidden_size); null counts as zeros
  const T* recurrent_bias = nullptr;  // b_hh (hidden_size); null counts as zeros
};

template <class T>
struct Forward {
  Sequence sequence;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  int threads = 1;
  Weights<T> weights;
  Rows<const T> input;               // x
  const T* initial_state = nullptr;  // h_0 (batch, hidden_size), contiguous; null counts as zeros
  Rows<T> output;                    // h_t, written; feature_stride must be 1
  T* final_state = nullptr;          // h_n (batch, hidden_size), written, contiguous; null: not wanted
};

// BPTT. With g_t = dL/dh_t from outside:
//
//     d_t = (g_t + W_hh^T d_{t+1}) * f'(h_t)        dx_t = W_ih^T d_t        dh_0 = W_hh^T d_1
//     dW_ih = sum d_t x_t^T        dW_hh = sum d_t h_{t-1}^T        db_ih = db_hh = sum d_t
template <class T>
struct Backward {
  Sequence sequence;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  int threads = 1;
  Weights<T> weights;  // the biases are not read
  Rows<const T> input;
  const T* initial_state = nullptr;  // as in Forward
  Rows<const T> output;              // what Forward wrote; feature_stride must be 1

  Rows<const T> d_output;            // g_t; data may be null: zeros
  const T* d_final_state = nullptr;  // dL/dh_n (batch, hidden_size), contiguous; null: zeros

  // Written where not null, all contiguous but for d_input's steps and rows (its feature_stride must be 1).
  Rows<T> d_input;
  bool add_to_d_input = false;         // add to what d_input holds, as the second of two directions does
  T* d_initial_state = nullptr;        // (batch, hidden_size)
  T* d_input_weights = nullptr;        // (hidden_size, input_size)
  T* d_recurrent_weights = nullptr;    // (hidden_size, hidden_size)
  T* d_bias = nullptr;                 // (hidden_size)
};

// Throw std::invalid_argument for a sequence that cannot be (see Sequence), std::bad_alloc when memory ends.
void forward(const Forward<float>&);
void forward(const Forward<double>&);
void backward(const Backward<float>&);
void backward(const Backward<double>&);

// The instruction sets that this machine has, best first: "avx512", "avx2", "x86-64" or "neon", "generic".
std::vector<std::string_view> instruction_sets();

// The one in use: the best, or the one that the environment variable ELMAN_ISA named when it was first asked.
std::string_view instruction_set();

// Uses another one from now on. Throws std::invalid_argument, naming the choices, when this machine lacks it.
void use_instruction_set(std::string_view name);

}  // namespace elman
