#include "elman/network.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "dispatch/sequence.h"
#include "program/plan.h"
#include "recurrence/schedule.h"
#include "threads/workspace.h"

namespace elman {
namespace {

std::int64_t total_rows(const Sequence& sequence) {
  if (!sequence.batch_sizes) return sequence.steps * sequence.batch;
  std::int64_t rows = 0;
  for (std::int64_t t = 0; t < sequence.steps; ++t) rows += sequence.batch_sizes[t];
  return rows;
}

// The programs of a network, with what runs forwards alone.
std::vector<Program> copies(const Program* const* programs, int layers) {
  std::vector<Program> all;
  for (int layer = 0; programs && layer < layers; ++layer) {
    ProgramText text = programs[layer]->text();
    const ProgramText& first = programs[0]->text();
    if (text.gates != first.gates || text.states != first.states || text.fed_back != first.fed_back ||
        text.unit_inputs != first.unit_inputs || text.step_inputs || text.row_inputs) {
      throw std::invalid_argument("programs: expected as many gates, states and unit inputs of each, and no others");
    }
    text.backward = {};
    all.emplace_back(std::move(text));
  }
  return all;
}

// Adds rows of `width` features to others, or copies them there.
template <class T>
void put(bool adds, const Sequence& sequence, std::int64_t width, const Rows<const T>& from, const Rows<T>& to) {
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(sequence.batch_sizes ? sequence.steps : 0));
  const Schedule schedule(sequence, fill_offsets(sequence, offsets.data()));
  for (std::int64_t t = 0; t < sequence.steps; ++t) {
    for (std::int64_t i = 0; i < schedule.rows(t); ++i) {
      const T* read = schedule.at(from, t, i);
      T* written = schedule.at(to, t, i);
      for (std::int64_t j = 0; j < width; ++j) written[j] = adds ? written[j] + read[j] : read[j];
    }
  }
}

}  // namespace

template <class T>
Network<T>::Network(const Weights<T>* weights, int layers, int directions, Cell cell, const NetworkOptions<T>& options)
    : programs_(copies(options.programs, layers)),
      directions_(directions),
      cell_(cell),
      sizes_(programs_.empty() ? sizes(cell) : sizes(programs_[0])),
      residual_(options.residual) {
  if (layers < 1) throw std::invalid_argument("layers: expected at least 1, got " + std::to_string(layers));
  if (directions != 1 && directions != 2) {
    throw std::invalid_argument("directions: expected 1 or 2, got " + std::to_string(directions));
  }
  input_size_ = weights[0].input_size;
  packed_.reserve(static_cast<std::size_t>(layers) * static_cast<std::size_t>(directions));
  std::int64_t reads = input_size_;
  for (int layer = 0; layer < layers; ++layer, reads = output_size()) {
    widths_.push_back(weights[layer * directions].hidden_size);
    state_size_ += directions * widths_.back();
    for (int i = layer * directions; i < (layer + 1) * directions; ++i) {
      if (weights[i].hidden_size != widths_.back() || weights[i].input_size != reads) {
        throw std::invalid_argument("weights[" + std::to_string(i) + "]: expected " + std::to_string(widths_.back()) +
                                    " units that read " + std::to_string(reads) + " features, got " +
                                    std::to_string(weights[i].hidden_size) + " that read " +
                                    std::to_string(weights[i].input_size));
      }
      if (programs_.empty()) {
        packed_.emplace_back(weights[i], cell_);
      } else {
        packed_.emplace_back(weights[i], programs_[static_cast<std::size_t>(layer)]);
      }
    }
  }
  const int unit_inputs = programs_.empty() ? 0 : programs_[0].text().unit_inputs;
  unit_values_.reserve(static_cast<std::size_t>(state_size_ * unit_inputs));  // it stays where it is
  for (int i = 0; i < layers * directions; ++i) {
    for (int input = 0; input < unit_inputs; ++input) {
      const T* values = options.unit_inputs[i][input];
      unit_inputs_.push_back(unit_values_.data() + unit_values_.size());
      unit_values_.insert(unit_values_.end(), values, values + weights[i].hidden_size);
    }
  }
  even_ = std::all_of(widths_.begin(), widths_.end(), [&](std::int64_t width) { return width == widths_[0]; });
  if (options.start) start_.assign(options.start, options.start + states() * state_size_);
}

template <class T>
void Network<T>::run(const Run& call) const {
  if (!check(call.sequence)) return;
  // a program's output has no places: it is put there
  const bool puts_output = call.output.places && !programs_.empty();
  const int outputs = layers() - (puts_output ? 0 : 1);  // that are kept here
  const std::int64_t batch = call.sequence.batch, rows = outputs > 0 ? total_rows(call.sequence) : 0;
  const std::int64_t widest = *std::max_element(widths_.begin(), widths_.end());
  const bool has_cells = states() > 1;
  const bool starts = !start_.empty() && !(call.initial_states && (call.initial_cell_states || !has_cells));
  // the outputs of two layers: one is read while the other is written; and the network's own start for a batch
  const std::int64_t between = rows * directions_ * widest, apart = batch * state_size_;
  const std::int64_t spread = starts ? states() * apart : 0;
  const WorkspaceUse of_layers(Slot::layers);
  T* memory = nullptr;
  if (rows > 0 || starts) memory = workspace_of<T>(Slot::layers, between * (outputs > 1 ? 2 : 1) + spread);
  const T *initial = call.initial_states, *initial_cells = call.initial_cell_states;
  if (starts) {
    write_start(batch, memory);
    if (!initial) initial = memory;
    if (!initial_cells) initial_cells = memory + apart;
    memory += spread;
  }

  Rows<const T> input = call.input;
  std::int64_t before = 0;  // of the states of all layers and directions, those before this one
  for (int layer = 0; layer < layers(); ++layer) {
    const std::int64_t units = hidden_size(layer), width = directions_ * units;
    Rows<T> output = call.output;
    if (layer < outputs) output = {memory + layer % 2 * between, batch * width, width, 1};
    for (int direction = 0; direction < directions_; ++direction, before += units) {
      const int index = layer * directions_ + direction;
      Sequence sequence = call.sequence;
      sequence.reverse = direction == 1;
      Rows<T> half = output;
      half.data += direction * units;
      const auto of_layer = [&](auto* all) { return all ? all + before * batch : nullptr; };
      forward(Forward<T>{
          .sequence = sequence,
          .cell = cell_,
          .threads = call.threads,
          .weights = {},
          .packed = &packed_[static_cast<std::size_t>(index)],
          .input = input,
          .initial_state = of_layer(initial),
          .output = half,
          .final_state = of_layer(call.final_states),
          .initial_cell_state = has_cells ? of_layer(initial_cells) : nullptr,
          .final_cell_state = of_layer(call.final_cell_states),
          .program = program(layer),
          .cell_states_apart = apart,
          .inputs = inputs(layer, direction),
      });
    }
    if (adds(layer)) put(true, call.sequence, width, input, output);
    input = {output.data, output.step_stride, output.row_stride, 1, output.places};
  }
  if (puts_output) put(false, call.sequence, output_size(), input, call.output);
}

template <class T>
void Network<T>::step(int layer, std::int64_t batch, int threads, const T* input, std::ptrdiff_t input_row,
                      std::ptrdiff_t input_feature, States<const T> before, States<T> after) const {
  forward(Forward<T>{
      .sequence = {1, batch, nullptr, false},
      .cell = cell_,
      .threads = threads,
      .weights = {},
      .packed = &packed_[static_cast<std::size_t>(layer)],
      .input = {input, 0, input_row, input_feature},
      .initial_state = before.hidden,
      .output = {after.hidden, 0, hidden_size(layer), 1},
      .final_state = nullptr,
      .initial_cell_state = before.cell,
      .final_cell_state = after.cell,
      .program = program(layer),
      .cell_states_apart = batch * state_size_,
      .inputs = inputs(layer, 0),
  });
}

template <class T>
void Network<T>::write_start(std::int64_t batch, T* to) const {
  const T* from = start_.data();
  for (int kind = 0; kind < states(); ++kind) {
    for (int i = 0; i < layers() * directions_; ++i) {
      const std::int64_t units = hidden_size(i / directions_);
      for (std::int64_t row = 0; row < batch; ++row, to += units) std::copy_n(from, units, to);
      from += units;
    }
  }
}

template <class T>
Stream<T>::Stream(std::shared_ptr<const Network<T>> network, std::int64_t batch)
    : network_(std::move(network)), batch_(batch) {
  if (network_->directions() != 1) {
    throw std::invalid_argument("a stream reads forwards, this network also reads backwards, from the last step");
  }
  if (batch < 1) throw std::invalid_argument("batch: expected at least 1, got " + std::to_string(batch));
  const std::int64_t size = network_->states() * batch * network_->state_size();
  for (std::vector<T>& states : states_) states.assign(static_cast<std::size_t>(size), T(0));
  for (std::int64_t row = 0; row < batch; ++row) reset(row);
  std::int64_t widest = 0;
  for (int layer = 0; layer < network_->layers(); ++layer) {
    if (network_->adds(layer)) widest = std::max(widest, network_->hidden_size(layer));
  }
  sum_.resize(static_cast<std::size_t>(batch * widest));
}

template <class T>
void Stream<T>::step(const T* input, std::ptrdiff_t row, std::ptrdiff_t feature, T* output, int threads) {
  const std::int64_t to_cells = network_->state_size() * batch_;
  const bool has_cells = network_->states() > 1;
  const T* before = states_[current_].data();
  T* after = states_[1 - current_].data();
  for (int layer = 0; layer < network_->layers(); ++layer) {
    const std::int64_t units = network_->hidden_size(layer), size = batch_ * units;
    network_->step(layer, batch_, threads, input, row, feature, {before, has_cells ? before + to_cells : nullptr},
                   {after, has_cells ? after + to_cells : nullptr});
    if (network_->adds(layer)) {
      for (std::int64_t i = 0; i < size; ++i) sum_[static_cast<std::size_t>(i)] = after[i] + input[i];
      input = sum_.data();
    } else {
      input = after;
    }
    row = units;
    feature = 1;
    before += size;
    after += size;
  }
  current_ = 1 - current_;
  if (output) std::copy_n(input, batch_ * network_->output_size(), output);
}

template <class T>
void Stream<T>::reset(std::int64_t row) {
  T* state = states();
  for (int kind = 0; kind < network_->states(); ++kind) {
    const T* start = network_->start(kind);
    for (int layer = 0; layer < network_->layers(); ++layer) {
      const std::int64_t units = network_->hidden_size(layer);
      for (std::int64_t j = 0; j < units; ++j) state[row * units + j] = start ? start[j] : T(0);
      state += batch_ * units;
      if (start) start += units;
    }
  }
}

template class Network<float>;
template class Network<double>;
template class Stream<float>;
template class Stream<double>;

}  // namespace elman
