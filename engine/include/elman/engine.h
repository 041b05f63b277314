// The engine's public interface: one recurrent layer, one direction, forward and backward.
//
//     a_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh        h_t = f(a_t)        f = tanh or relu
//
// or a cell with gates, GRU or LSTM, whose equations stand in cells/gru.h and cells/lstm.h. cells.h lists all cells;
// program.h says how to make others.
//
// network.h holds stacks of layers with their weights packed once, and streams; pooling.h and softmax.h what a
// classifier does with the outputs.
//
// Pointers. All are to elements of type T (float or double), aligned as T is and no more. The caller owns what they
// point to and keeps it there until the call returns; nothing is read or written after that. Null is allowed only where
// a comment says so. Nothing but the outputs is written, and an output may overlap no other array of its call, unless
// a comment says so. Shapes are row-major; "contiguous" is without gaps.
//
// Sizes. input_size may be 0 (then x and W_ih are not read and may be null), hidden_size is 1 or more. Sizes, strides
// and pointers are taken at their word, nothing but the sequence is checked.
//
// Threads. Any number of threads may call at once. One call at a time has the pool, the others work alone meanwhile.
// `threads` is the most that a call uses, its caller among them; it uses fewer where waking them would not repay, and
// its caller alone for 1 or below. The pool's threads are started when they are first needed and stay; a forked child
// starts its own. Each thread keeps working memory between calls, but nothing that shows in a result: 256 MiB at most,
// all threads together.
//
// Results. The outputs of a row are the same bits in any batch, on any number of threads, padded or packed, whole or in
// pieces; and with every instruction set that has fused multiply-add (avx2, avx512, neon), while x86-64 has bits of its
// own. All threads round, and flush to zero, as the calling one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "elman/cells.h"
#include "elman/program.h"

namespace elman {

// Which rows take part in which step. Padded input has `batch` rows at every step. Packed input has
// `batch_sizes[t]` rows at step t (never more than at step t - 1, never none), which lie behind one another.
struct Sequence {
  std::int64_t steps = 0;                     // 1 or more
  std::int64_t batch = 0;                     // rows at step 0; may be 0 when padded: then there is nothing to do
  const std::int64_t* batch_sizes = nullptr;  // (steps), read, the first is `batch`; null: padded
  bool reverse = false;                       // from the last step to the first, each row from its own last one
};

// Where a packed sequence begins among padded rows, in which its steps follow one another.
struct Place {
  std::int64_t step = 0;
  std::int64_t row = 0;
};

// Rows of features, one row a step and sequence: the element of step t, row i, feature j of padded rows is
// data[t * step_stride + i * row_stride + j * feature_stride]. Strides count elements; where they are read from, any
// value goes, 0 and negative too; rows that are written may not overlap. Packed rows are all `row_stride` apart, the
// rows of a step behind those of the step before, and step_stride is not read; unless they have places among padded
// ones, whose other rows are neither read nor written.
template <class T>
struct Rows {
  T* data = nullptr;  // null for rows of no features, and where the use says so
  std::ptrdiff_t step_stride = 0;
  std::ptrdiff_t row_stride = 0;
  std::ptrdiff_t feature_stride = 1;
  const Place* places = nullptr;  // (batch), of a packed sequence; null: none. A program's output and step inputs
                                  // have none
};

// A layer's weights as PyTorch lays them out; all read, none kept.
template <class T>
struct Weights {
  std::int64_t input_size = 0;   // 0 or more
  std::int64_t hidden_size = 0;  // 1 or more
  // Rows of a gate lie behind those of the gate before, in PyTorch's order: r, z, n of a GRU; i, f, g, o of an LSTM.
  const T* input = nullptr;           // W_ih (gates * hidden_size, input_size), contiguous
  const T* recurrent = nullptr;       // W_hh (gates * hidden_size, hidden_size), contiguous; null, of the identity
                                      // alone: no recurrent term
  const T* input_bias = nullptr;      // b_ih (gates * hidden_size), contiguous; null counts as zeros
  const T* recurrent_bias = nullptr;  // b_hh (gates * hidden_size), contiguous; null counts as zeros
};

struct Functions;  // of one instruction set
template <class T>
struct LayerWeights;

// A layer's weights, copied and packed once for the instruction set in use, and used with that one even if another
// is chosen later. Owns its memory. Immutable: any number of threads may read it. Once moved from, it may only be
// destroyed.
template <class T>
class PackedWeights {
 public:
  // Copies `weights`, which are those of `cell`, or of a program. Throws std::bad_alloc, and what instruction_set()
  // throws.
  PackedWeights(const Weights<T>& weights, Cell cell);
  PackedWeights(const Weights<T>& weights, const Program& program);
  ~PackedWeights();
  PackedWeights(PackedWeights&&) noexcept;
  PackedWeights& operator=(PackedWeights&&) = delete;

  // For the engine itself: their types are not public. They live as long as this does.
  const LayerWeights<T>& layer() const { return *layer_; }
  const Functions& functions() const { return *functions_; }

 private:
  PackedWeights(const Weights<T>& weights, const CellSizes& cell);

  const Functions* functions_;
  std::unique_ptr<T, void (*)(void*)> memory_;
  std::unique_ptr<LayerWeights<T>> layer_;
};

// What a program reads besides gates and states, as many as it says of each; null where it has none.
template <class T>
struct ProgramInputs {
  const T* const* of_units = nullptr;       // (hidden_size) each, contiguous
  const Rows<const T>* of_steps = nullptr;  // hidden_size features each; feature_stride must be 1
  const T* const* of_rows = nullptr;        // (batch, hidden_size) each, contiguous
};

template <class T>
struct Forward {
  Sequence sequence;
  Cell cell = Cell::tanh;  // not read where `program` is given
  int threads = 1;
  Weights<T> weights;                        // not read where `packed` is given
  const PackedWeights<T>* packed = nullptr;  // of this cell; null: the weights are packed for this call alone
  Rows<const T> input;                       // x, input_size features
  const T* initial_state = nullptr;          // h_0 (batch, hidden_size), contiguous; null counts as zeros
  Rows<T> output;                            // h_t, hidden_size features, written; feature_stride must be 1
  T* final_state = nullptr;  // h_n (batch, hidden_size), written, contiguous; null: not wanted. A row's state
                             // after the step of it that is taken last
  const T* initial_cell_state = nullptr;  // c_0 (batch, hidden_size), contiguous; null counts as zeros; lstm alone
  T* final_cell_state = nullptr;          // c_n (batch, hidden_size), written, contiguous; null: not wanted; lstm alone
  T* kept = nullptr;  // what Backward needs besides the output: a row a step and sequence, behind one another as packed
                      // ones are or (steps, batch), of kept * hidden_size elements (see cells.h), written, contiguous;
                      // null: not wanted; not read of a cell that keeps nothing
  const Program* program = nullptr;      // null: the cell is `cell`. Its kept * hidden_size elements a row are those of
                                         // its kept and of all states but the first, its "cell states":
  std::ptrdiff_t cell_states_apart = 0;  // where there are several, the elements from one to the next; else not read
  ProgramInputs<T> inputs = {};          // of the program
};

// BPTT. With g_t = dL/dh_t from outside:
//
//     d_t = (g_t + W_hh^T d_{t+1}) * f'(h_t)        dx_t = W_ih^T d_t        dh_0 = W_hh^T d_1
//     dW_ih = sum d_t x_t^T        dW_hh = sum d_t h_{t-1}^T        db_ih = db_hh = sum d_t
template <class T>
struct Backward {
  Sequence sequence;       // the sequence and cell of Forward
  Cell cell = Cell::tanh;  // not read where `program` is given
  int threads = 1;
  Weights<T> weights;                     // the biases are not read
  Rows<const T> input;                    // x, input_size features
  const T* initial_state = nullptr;       // as in Forward
  Rows<const T> output;                   // what Forward wrote; feature_stride must be 1; not read for the identity
  const T* initial_cell_state = nullptr;  // as in Forward
  const T* kept = nullptr;                // what Forward wrote there; not read of a cell that keeps nothing

  Rows<const T> d_output;                 // g_t, hidden_size features; data may be null: zeros
  const T* d_final_state = nullptr;       // dL/dh_n (batch, hidden_size), contiguous; null: zeros
  const T* d_final_cell_state = nullptr;  // dL/dc_n (batch, hidden_size), contiguous; null: zeros; lstm alone

  // Written where not null, all contiguous but for d_input's steps and rows (its feature_stride must be 1). Those of
  // the weights are sums over the batch, zeros when it is 0.
  Rows<T> d_input;                   // dx_t, input_size features
  bool add_to_d_input = false;       // add to what d_input holds, as the second of two directions does
  T* d_initial_state = nullptr;      // dh_0 (batch, hidden_size)
  T* d_input_weights = nullptr;      // dW_ih (gates * hidden_size, input_size)
  T* d_recurrent_weights = nullptr;  // dW_hh (gates * hidden_size, hidden_size)
  T* d_bias = nullptr;            // db_ih (gates * hidden_size), and db_hh, which is the same but for the gates apart
  T* d_recurrent_bias = nullptr;  // db_hh (gates * hidden_size), for cells that have gates apart
  T* d_initial_cell_state = nullptr;  // dc_0 (batch, hidden_size), lstm alone
  T* deltas = nullptr;  // d_t itself, for who sums it otherwise: a row a step and sequence as in Forward's kept, of
                        // (apart + gates) * hidden_size elements: W_ih's of the gates apart, then W_hh's of all

  const Program* program = nullptr;      // as in Forward; one that has a backward list
  std::ptrdiff_t cell_states_apart = 0;  // as in Forward
  ProgramInputs<T> inputs = {};          // as in Forward
  // Written; null, or null for some of them: not wanted.
  T* const* d_unit_inputs = nullptr;  // (hidden_size) each: sums over the batch, zeros when it is 0
  const Rows<T>* d_step_inputs = nullptr;
  T* const* d_row_inputs = nullptr;  // (batch, hidden_size) each
};

// Throw std::invalid_argument for a sequence that cannot be (see Sequence) before anything is written,
// std::bad_alloc when memory ends (then the outputs hold anything), and what instruction_set() throws.
void forward(const Forward<float>&);
void forward(const Forward<double>&);
void backward(const Backward<float>&);
void backward(const Backward<double>&);

// Gives back the working memory that threads keep between calls, of all threads; of those that are inside a call, after
// that. Any thread may call this at any time; calls that come later take new memory.
void release_memory();

// The instruction sets that this machine has, best first: "avx512", "avx2", "x86-64" or "neon", "generic". The names
// are constants of the program.
std::vector<std::string_view> instruction_sets();

// The one in use: the best, or the one that the environment variable ELMAN_ISA named when one was first needed. Throws
// std::invalid_argument, naming the choices, where ELMAN_ISA names none of this machine's.
std::string_view instruction_set();

// Uses another one from now on: in calls that begin later, and weights that are packed later. Throws
// std::invalid_argument, naming the choices, when this machine lacks it.
void use_instruction_set(std::string_view name);

}  // namespace elman
