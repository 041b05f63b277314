#include "elman/network.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "dispatch/sequence.h"
#include "threads/workspace.h"

namespace elman {
namespace {

std::int64_t total_rows(const Sequence& sequence) {
  if (!sequence.batch_sizes) return sequence.steps * sequence.batch;
  std::int64_t rows = 0;
  for (std::int64_t t = 0; t < sequence.steps; ++t) rows += sequence.batch_sizes[t];
  return rows;
}

// Adds rows of `width` features to others.
template <class T>
void add(const Sequence& sequence, std::int64_t width, const Rows<const T>& from, const Rows<T>& to) {
  const bool packed = sequence.batch_sizes != nullptr;
  const std::int64_t steps = packed ? 1 : sequence.steps, rows = packed ? total_rows(sequence) : sequence.batch;
  for (std::int64_t t = 0; t < steps; ++t) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const T* read = from.data + t * from.step_stride + i * from.row_stride;
      T* written = to.data + t * to.step_stride + i * to.row_stride;
      for (std::int64_t j = 0; j < width; ++j) written[j] += read[j];
    }
  }
}

}  // namespace

template <class T>
Network<T>::Network(const Weights<T>* weights, int layers, int directions, Cell cell, const NetworkOptions<T>& options)
    : directions_(directions), cell_(cell), residual_(options.residual) {
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
      packed_.emplace_back(weights[i], cell_);
    }
  }
  even_ = std::all_of(widths_.begin(), widths_.end(), [&](std::int64_t width) { return width == widths_[0]; });
  if (options.start) start_.assign(options.start, options.start + sizes(cell).states * state_size_);
}

template <class T>
void Network<T>::run(const Run& call) const {
  if (!check(call.sequence)) return;
  const std::int64_t batch = call.sequence.batch, rows = layers() > 1 ? total_rows(call.sequence) : 0;
  const std::int64_t widest = *std::max_element(widths_.begin(), widths_.end());
  const bool has_cells = sizes(cell_).states == 2;
  const bool starts = !start_.empty() && !(call.initial_states && (call.initial_cell_states || !has_cells));
  // the outputs of two layers: one is read while the other is written; and the network's own start, h and c, for a
  // batch
  const std::int64_t between = rows * directions_ * widest, spread = starts ? batch * widest : 0;
  const WorkspaceUse of_layers(Slot::layers);
  T* memory = nullptr;
  if (rows > 0 || starts) memory = workspace_of<T>(Slot::layers, between * (layers() > 2 ? 2 : 1) + 2 * spread);
  T* of_start = memory;
  if (memory) memory += 2 * spread;

  Rows<const T> input = call.input;
  std::int64_t before = 0;  // of the states of all layers and directions, those before this one
  for (int layer = 0; layer < layers(); ++layer) {
    const std::int64_t units = hidden_size(layer), width = directions_ * units;
    Rows<T> output = call.output;
    if (layer < layers() - 1) output = {memory + layer % 2 * between, batch * width, width, 1};
    for (int direction = 0; direction < directions_; ++direction, before += units) {
      const int index = layer * directions_ + direction;
      Sequence sequence = call.sequence;
      sequence.reverse = direction == 1;
      Rows<T> half = output;
      half.data += direction * units;
      const auto of_layer = [&](auto* all) { return all ? all + before * batch : nullptr; };
      const auto initial = [&](const T* given, int kind) -> const T* {
        if (given || start_.empty()) return of_layer(given);
        T* all = of_start + kind * spread;
        for (std::int64_t i = 0; i < batch; ++i) std::copy_n(start(kind) + before, units, all + i * units);
        return all;
      };
      forward(Forward<T>{
          .sequence = sequence,
          .cell = cell_,
          .threads = call.threads,
          .weights = {},
          .packed = &packed_[static_cast<std::size_t>(index)],
          .input = input,
          .initial_state = initial(call.initial_states, 0),
          .output = half,
          .final_state = of_layer(call.final_states),
          .initial_cell_state = has_cells ? initial(call.initial_cell_states, 1) : nullptr,
          .final_cell_state = of_layer(call.final_cell_states),
      });
    }
    if (adds(layer)) add(call.sequence, width, input, output);
    input = {output.data, output.step_stride, output.row_stride, 1};
  }
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
  });
}

template <class T>
Stream<T>::Stream(std::shared_ptr<const Network<T>> network, std::int64_t batch)
    : network_(std::move(network)), batch_(batch) {
  if (network_->directions() != 1) {
    throw std::invalid_argument("a stream reads forwards, this network also reads backwards, from the last step");
  }
  if (batch < 1) throw std::invalid_argument("batch: expected at least 1, got " + std::to_string(batch));
  const std::int64_t size = sizes(network_->cell()).states * batch * network_->state_size();
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
  const bool has_cells = sizes(network_->cell()).states == 2;
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
  for (int kind = 0; kind < sizes(network_->cell()).states; ++kind) {
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
