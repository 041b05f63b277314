// Stacks of recurrent layers for inference: weights packed once, whole sequences or one step at a time, to the same
// bits. What engine.h says of pointers, sizes, threads and results holds here.
//
//     auto network = std::make_shared<const elman::Network<float>>(weights, layers, 1, elman::Cell::tanh);
//     elman::Stream<float> stream(network, 1);
//     stream.step(x, 0, 1, h);  // once a step: x (input_size) in, h (hidden_size) out
//
// examples/cpp is a whole program.
#pragma once

#include "elman/engine.h"

namespace elman {

template <class T>
class Stream;

// What a network has besides its weights.
template <class T>
struct NetworkOptions {
  // The state that sequences begin from where no other is given, h of each layer and direction (hidden_size of the
  // layer) behind one another, and behind them all of each further state likewise; copied; null: zeros.
  const T* start = nullptr;
  bool residual = false;  // adds a layer's input to its output, from the second layer on, where they are as wide
  // Of a network whose cell is a program: one for each layer, with as many gates and states as the first and no step or
  // row inputs, copied; null: the cell is `cell`. And what each layer and direction reads by unit, as many arrays
  // (hidden_size of the layer) as its program says, copied; not read where it says none.
  const Program* const* programs = nullptr;
  const T* const* const* unit_inputs = nullptr;
};

// Owns copies of its weights. Immutable once made: any number of threads may run one network and make streams of it.
template <class T>
class Network {
 public:
  // `weights` (layers * directions): layer by layer, the forward direction before the reverse one. They are copied and
  // may go afterwards. Layer 0 reads input_size features, every other one what the layer before puts out, directions *
  // hidden_size of that layer; both directions of a layer have one hidden_size. Throws std::invalid_argument when
  // layers is below 1, directions neither 1 nor 2, or sizes or programs do not fit one another, std::bad_alloc when
  // memory ends, and what instruction_set() throws.
  Network(const Weights<T>* weights, int layers, int directions, Cell cell, const NetworkOptions<T>& options = {});
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // States of all layers: those of each layer and direction (batch, hidden_size of the layer) behind one another, which
  // is (layers * directions, batch, hidden_size) where all layers are as wide. state_size() elements a row.
  struct Run {
    Sequence sequence;  // `reverse` is not read
    int threads = 1;
    Rows<const T> input;                // x, input_size features
    const T* initial_states = nullptr;  // h_0 of all layers, contiguous; null: the network's own start
    Rows<T> output;                     // output_size() features, the forward direction's first, written;
                                        // feature_stride must be 1; must not overlap the input
    T* final_states = nullptr;          // h_n of all layers, written, contiguous; null: not wanted
    // The further states, c of an LSTM, all layers of one behind all of the one before, contiguous.
    const T* initial_cell_states = nullptr;  // null: the network's own start
    T* final_cell_states = nullptr;          // written; null: not wanted
  };

  // Throws as elman::forward does. Outputs between layers are kept in working memory of the calling thread.
  void run(const Run& call) const;

  int layers() const { return static_cast<int>(widths_.size()); }
  int directions() const { return directions_; }
  Cell cell() const { return cell_; }  // of a network of programs: not said
  int gates() const { return sizes_.gates; }
  int states() const { return sizes_.states; }  // h, of an LSTM h and c, of a program as many as it says
  std::int64_t input_size() const { return input_size_; }
  std::int64_t hidden_size(int layer) const { return widths_[static_cast<std::size_t>(layer)]; }
  std::int64_t output_size() const { return directions_ * widths_.back(); }
  std::int64_t state_size() const { return state_size_; }
  // Whether all layers are as wide, so that their states are one array.
  bool is_even() const { return even_; }

 private:
  friend class Stream<T>;

  // h and the further states (batch, hidden_size), contiguous, those batch * state_size() apart; null: none, or zeros.
  template <class U>
  struct States {
    U *hidden, *cell;
  };

  // One step of one layer of a network in one direction, for `batch` rows. input (batch, features of that layer), its
  // rows `input_row` elements apart, its features `input_feature` apart; `after` is written and may overlap neither
  // `input` nor `before`. `layer` is not checked. Throws std::invalid_argument for a batch below 0.
  void step(int layer, std::int64_t batch, int threads, const T* input, std::ptrdiff_t input_row,
            std::ptrdiff_t input_feature, States<const T> before, States<T> after) const;

  // Whether a layer's input is added to its output.
  bool adds(int layer) const { return residual_ && layer > 0 && hidden_size(layer) == hidden_size(layer - 1); }
  const Program* program(int layer) const {
    return programs_.empty() ? nullptr : &programs_[static_cast<std::size_t>(layer)];
  }
  // What the program reads by unit, of a layer and direction.
  ProgramInputs<T> inputs(int layer, int direction) const {
    if (programs_.empty()) return {};
    return {.of_units = unit_inputs_.data() + (layer * directions_ + direction) * programs_[0].text().unit_inputs};
  }
  // Writes the start of a batch as states lie. Only where there is one.
  void write_start(std::int64_t batch, T* to) const;
  // The start of a state, 0: h, of all layers and directions; null: zeros.
  const T* start(int kind) const { return start_.empty() ? nullptr : start_.data() + kind * state_size_; }

  std::vector<PackedWeights<T>> packed_;
  std::vector<std::int64_t> widths_;  // hidden_size of each layer
  std::vector<T> start_;              // empty: zeros
  std::vector<Program> programs_;     // of each layer; empty: the cell is `cell_`
  std::vector<T> unit_values_;
  std::vector<const T*> unit_inputs_;  // of each layer and direction, into them
  int directions_;
  Cell cell_;
  CellSizes sizes_;
  bool residual_;
  bool even_;
  std::int64_t input_size_;
  std::int64_t state_size_ = 0;
};

// A batch of sequences that a network reads step by step. It owns its states and shares the network. Steps allocate
// nothing, but for working memory of a thread that takes its first step through gates. One thread at a time may use a
// stream; any number of streams may share a network. A copy is another stream in the same state.
template <class T>
class Stream {
 public:
  // `network` may not be null. States begin as the network's start. Throws std::invalid_argument for a network in two
  // directions, which would have to read the last step first, and for a batch below 1, std::bad_alloc when memory ends.
  Stream(std::shared_ptr<const Network<T>> network, std::int64_t batch);

  // input (batch, input_size), its rows `row` elements apart and its features `feature` apart; output
  // (batch, output_size), contiguous, written last, may overlap the input; null: not wanted. `threads` as in engine.h.
  void step(const T* input, std::ptrdiff_t row, std::ptrdiff_t feature, T* output, int threads = 1);

  // Lets one sequence of the batch begin anew, from the network's start. `row` is not checked.
  void reset(std::int64_t row);

  // The states after the last step, each layer's (batch, hidden_size) behind the one before, and behind all h all of
  // each further state likewise; contiguous. May be written between steps, to go on from elsewhere. The stream's own,
  // and another place after each step: ask again.
  T* states() { return states_[current_].data(); }
  const T* states() const { return states_[current_].data(); }

  const Network<T>& network() const { return *network_; }
  std::int64_t batch() const { return batch_; }

 private:
  std::shared_ptr<const Network<T>> network_;
  std::int64_t batch_;
  std::vector<T> states_[2];  // before and after a step, in turn
  std::vector<T> sum_;        // a layer's output and its input, added; empty where no layer adds them
  int current_ = 0;
};

}  // namespace elman
