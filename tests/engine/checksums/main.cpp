// Prints a checksum of every result of the engine over a set of cases, a line each, and first the instruction set. Two
// processors with fused multiply-add print the same lines but for the first.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "elman/network.h"
#include "elman/pooling.h"
#include "elman/softmax.h"

namespace {

struct Size {
  std::int64_t steps, batch, input, hidden;
};

// One row and several, fewer units than a vector and more, whole panels and odd tails, no input at all, work enough
// for a second thread, sums over more rows than a group of a weight gradient has.
constexpr Size kSizes[] = {{1, 1, 1, 1},    {9, 1, 3, 5},     {6, 4, 0, 17},    {20, 1, 40, 70},
                           {7, 13, 33, 31}, {5, 67, 16, 130}, {40, 32, 64, 64}, {3, 6, 300, 257}};

// The standard fixes the engine's numbers, though not those of its distributions.
template <class T>
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : bits_(seed) {}

  // Between -scale and scale.
  std::vector<T> even(std::int64_t count, double scale) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(unit() * scale);
    return values;
  }

  // Of every magnitude from 2^-40 to 2^8, so that tanh is met in all its ranges.
  std::vector<T> wide(std::int64_t count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) {
      const double fraction = unit();
      value = static_cast<T>(std::ldexp(fraction, static_cast<int>(bits_() % 49) - 40));
    }
    return values;
  }

 private:
  double unit() { return std::ldexp(static_cast<double>(static_cast<std::int64_t>(bits_() >> 11)), -52) - 1; }

  std::mt19937_64 bits_;
};

// FNV-1a over the bytes.
template <class T>
void print(const std::string& name, const std::vector<T>& values) {
  std::uint64_t hash = 14695981039346656037u;
  for (const T value : values) {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof value);
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  }
  std::printf("%s %zu-byte: %016llx\n", name.c_str(), sizeof(T), static_cast<unsigned long long>(hash));
}

template <class T>
struct Layer {
  Layer(Draw<T>& draw, std::int64_t inputs, std::int64_t units, int gates = 1)
      : sizes{inputs, units},
        input(draw.even(gates * units * inputs, 1 / std::sqrt(static_cast<double>(units)))),
        recurrent(draw.even(gates * units * units, 1 / std::sqrt(static_cast<double>(units)))),
        input_bias(draw.even(gates * units, 1)),
        recurrent_bias(draw.even(gates * units, 1)) {}

  elman::Weights<T> weights() const {
    return {sizes[0], sizes[1], input.data(), recurrent.data(), input_bias.data(), recurrent_bias.data()};
  }

  std::int64_t sizes[2];
  std::vector<T> input, recurrent, input_bias, recurrent_bias;
};

// Packed rows: the last sequences end early.
std::vector<std::int64_t> ragged(const Size& size) {
  std::vector<std::int64_t> rows;
  for (std::int64_t t = 0; t < size.steps; ++t) rows.push_back(size.batch - t * (size.batch - 1) / size.steps);
  return rows;
}

template <class T>
void one_layer(const Size& size, elman::Cell cell, bool packed, bool reverse, const std::string& name) {
  const auto [steps, batch, inputs, units] = size;
  Draw<T> draw(static_cast<std::uint64_t>(units));
  const elman::CellSizes of_cell = elman::sizes(cell);
  const Layer<T> layer(draw, inputs, units, of_cell.gates);
  const std::vector<std::int64_t> batch_sizes = ragged(size);
  const elman::Sequence sequence{steps, batch, packed ? batch_sizes.data() : nullptr, reverse};
  const std::int64_t rows = steps * batch;  // packed input leaves the last of them unread
  const std::vector<T> x = draw.wide(rows * inputs), h_0 = draw.even(batch * units, 1);
  std::vector<T> output(static_cast<std::size_t>(rows * units)), h_n(static_cast<std::size_t>(batch * units));
  std::vector<T> kept(static_cast<std::size_t>(rows * of_cell.kept * units)), c_n(of_cell.states > 1 ? h_n.size() : 0);

  elman::Forward<T> forward;
  forward.sequence = sequence;
  forward.cell = cell;
  forward.threads = 2;
  forward.weights = layer.weights();
  forward.input = {x.data(), batch * inputs, inputs};
  forward.initial_state = h_0.data();
  forward.output = {output.data(), batch * units, units};
  forward.final_state = h_n.data();
  if (!c_n.empty()) forward.final_cell_state = c_n.data();
  if (!kept.empty()) forward.kept = kept.data();
  elman::forward(forward);
  print(name + " output", output);
  print(name + " h_n", h_n);
  if (!c_n.empty()) print(name + " c_n", c_n);

  const std::vector<T> d_output = draw.even(rows * units, 1), d_h_n = draw.even(batch * units, 1);
  std::vector<T> d_x(x.size()), d_h_0(h_0.size()), d_input(layer.input.size()), d_recurrent(layer.recurrent.size());
  std::vector<T> d_bias(layer.input_bias.size()), d_recurrent_bias(of_cell.apart > 0 ? d_bias.size() : 0);
  std::vector<T> d_c_0(c_n.size());
  elman::Backward<T> backward;
  backward.sequence = sequence;
  backward.cell = cell;
  backward.threads = 2;
  backward.weights = layer.weights();
  backward.input = forward.input;
  backward.initial_state = h_0.data();
  backward.output = {output.data(), batch * units, units};
  backward.d_output = {d_output.data(), batch * units, units};
  backward.d_final_state = d_h_n.data();
  backward.d_input = {d_x.data(), batch * inputs, inputs};
  backward.d_initial_state = d_h_0.data();
  backward.d_input_weights = d_input.data();
  backward.d_recurrent_weights = d_recurrent.data();
  backward.d_bias = d_bias.data();
  if (!kept.empty()) backward.kept = kept.data();
  if (!d_recurrent_bias.empty()) backward.d_recurrent_bias = d_recurrent_bias.data();
  if (!d_c_0.empty()) backward.d_initial_cell_state = d_c_0.data();
  elman::backward(backward);
  print(name + " dx", d_x);
  print(name + " dh_0", d_h_0);
  print(name + " dW_ih", d_input);
  print(name + " dW_hh", d_recurrent);
  print(name + " db", d_bias);
  if (!d_recurrent_bias.empty()) print(name + " db_hh", d_recurrent_bias);
  if (!d_c_0.empty()) print(name + " dc_0", d_c_0);
}

// Two layers in two directions, what a classifier makes of their outputs, and a stream through one direction of them.
template <class T>
void stack(const Size& size, const std::string& name) {
  const auto [steps, batch, inputs, units] = size;
  Draw<T> draw(static_cast<std::uint64_t>(units));
  const std::vector<Layer<T>> layers{
      {draw, inputs, units}, {draw, inputs, units}, {draw, 2 * units, units}, {draw, 2 * units, units}};
  std::vector<elman::Weights<T>> weights;
  for (const Layer<T>& layer : layers) weights.push_back(layer.weights());
  const elman::Network<T> network(weights.data(), 2, 2, elman::Cell::tanh);
  const std::vector<T> x = draw.even(steps * batch * inputs, 2);
  const auto rows = static_cast<std::size_t>(batch * 2 * units);
  std::vector<T> output(static_cast<std::size_t>(steps) * rows), largest(rows), mean(rows);
  const elman::Sequence sequence{steps, batch};
  network.run(
      {sequence, 2, {x.data(), batch * inputs, inputs}, nullptr, {output.data(), batch * 2 * units, 2 * units}});
  print(name + " stack", output);
  const elman::Rows<const T> read{output.data(), batch * 2 * units, 2 * units};
  elman::pool(elman::Pooling<T>{sequence, 2 * units, read, largest.data(), mean.data(), 2 * units});
  print(name + " largest", largest);
  print(name + " mean", mean);
  elman::softmax<T>(batch, 2 * units, mean.data(), mean.data(), false);
  print(name + " softmax", mean);

  const auto one_way = std::make_shared<const elman::Network<T>>(weights.data(), 1, 1, elman::Cell::relu);
  elman::Stream<T> stream(one_way, batch);
  for (std::int64_t t = 0; t < steps; ++t) stream.step(x.data() + t * batch * inputs, inputs, 1, nullptr);
  print(name + " stream", std::vector<T>(stream.states(), stream.states() + batch * units));
}

template <class T>
void cases(const Size& size) {
  const std::string name = std::to_string(size.steps) + "," + std::to_string(size.batch) + "," +
                           std::to_string(size.input) + "," + std::to_string(size.hidden);
  one_layer<T>(size, elman::Cell::tanh, false, false, name + " tanh");
  one_layer<T>(size, elman::Cell::tanh, true, true, name + " tanh packed reverse");
  one_layer<T>(size, elman::Cell::relu, true, false, name + " relu packed");
  one_layer<T>(size, elman::Cell::relu, false, true, name + " relu reverse");
  one_layer<T>(size, elman::Cell::gru, false, false, name + " gru");
  one_layer<T>(size, elman::Cell::gru, true, true, name + " gru packed reverse");
  one_layer<T>(size, elman::Cell::lstm, true, false, name + " lstm packed");
  one_layer<T>(size, elman::Cell::lstm, false, true, name + " lstm reverse");
  stack<T>(size, name);
}

}  // namespace

int main() {
  const std::string_view set = elman::instruction_set();
  std::printf("%.*s\n", static_cast<int>(set.size()), set.data());
  for (const Size& size : kSizes) {
    cases<float>(size);
    cases<double>(size);
  }
  return 0;
}
