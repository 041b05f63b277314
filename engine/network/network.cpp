#include "elman/network.h"

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

}  // namespace

template <class T>
Network<T>::Network(const Weights<T>* weights, int layers, int directions, Cell cell)
    : layers_(layers), directions_(directions), cell_(cell) {
  if (layers < 1) throw std::invalid_argument("layers: expected at least 1, got " + std::to_string(layers));
  if (directions != 1 && directions != 2) {
    throw std::invalid_argument("directions: expected 1 or 2, got " + std::to_string(directions));
  }
  input_size_ = weights[0].input_size;
  hidden_size_ = weights[0].hidden_size;
  packed_.reserve(static_cast<std::size_t>(layers) * static_cast<std::size_t>(directions));
  for (int i = 0; i < layers * directions; ++i) {
    const std::int64_t reads = i < directions ? input_size_ : directions * hidden_size_;
    if (weights[i].hidden_size != hidden_size_ || weights[i].input_size != reads) {
      throw std::invalid_argument("weights[" + std::to_string(i) + "]: expected " + std::to_string(hidden_size_) +
                                  " units that read " + std::to_string(reads) + " features, got " +
                                  std::to_string(weights[i].hidden_size) + " that read " +
                                  std::to_string(weights[i].input_size));
    }
    packed_.emplace_back(weights[i], cell_);
  }
}

template <class T>
void Network<T>::run(const Run& call) const {
  if (!check(call.sequence)) return;
  const std::int64_t width = directions_ * hidden_size_;
  const std::int64_t states = call.sequence.batch * hidden_size_;
  const WorkspaceUse of_layers(Slot::layers);
  T* between = nullptr;  // the outputs of two layers: one is read while the other is written
  std::int64_t rows = 0;
  if (layers_ > 1) {
    rows = total_rows(call.sequence);
    between = workspace_of<T>(Slot::layers, rows * width * (layers_ > 2 ? 2 : 1));
  }
  Rows<const T> input = call.input;
  for (int layer = 0; layer < layers_; ++layer) {
    Rows<T> output = call.output;
    if (layer < layers_ - 1) output = {between + layer % 2 * rows * width, call.sequence.batch * width, width, 1};
    for (int direction = 0; direction < directions_; ++direction) {
      const int index = layer * directions_ + direction;
      Sequence sequence = call.sequence;
      sequence.reverse = direction == 1;
      Rows<T> half = output;
      half.data += direction * hidden_size_;
      const auto of_layer = [&](auto* all) { return all ? all + index * states : nullptr; };
      forward(Forward<T>{
          .sequence = sequence,
          .cell = cell_,
          .threads = call.threads,
          .weights = {},
          .packed = &packed_[static_cast<std::size_t>(index)],
          .input = input,
          .initial_state = of_layer(call.initial_states),
          .output = half,
          .final_state = of_layer(call.final_states),
          .initial_cell_state = of_layer(call.initial_cell_states),
          .final_cell_state = of_layer(call.final_cell_states),
      });
    }
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
      .output = {after.hidden, 0, hidden_size_, 1},
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
  const int kinds = sizes(network_->cell()).states;
  const std::int64_t size = kinds * network_->layers() * batch * network_->hidden_size();
  for (std::vector<T>& states : states_) states.assign(static_cast<std::size_t>(size), T(0));
}

template <class T>
void Stream<T>::step(const T* input, std::ptrdiff_t row, std::ptrdiff_t feature, T* output, int threads) {
  const std::int64_t units = network_->hidden_size(), size = batch_ * units;
  const std::int64_t to_cells = network_->layers() * size;
  const bool has_cells = sizes(network_->cell()).states == 2;
  const T* before = states_[current_].data();
  T* after = states_[1 - current_].data();
  for (int layer = 0; layer < network_->layers(); ++layer, before += size, after += size) {
    network_->step(layer, batch_, threads, input, row, feature, {before, has_cells ? before + to_cells : nullptr},
                   {after, has_cells ? after + to_cells : nullptr});
    input = after;
    row = units;
    feature = 1;
  }
  current_ = 1 - current_;
  if (output) __builtin_memcpy(output, input, static_cast<std::size_t>(size) * sizeof(T));
}

template class Network<float>;
template class Network<double>;
template class Stream<float>;
template class Stream<double>;

}  // namespace elman
