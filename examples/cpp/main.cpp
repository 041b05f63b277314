// Steps a recurrent network that elman.save wrote through a series, on the engine alone:
//
//     elman_step rnn.safetensors series.txt
//
// The series has a step a line: input_size numbers with spaces between; - is standard input. For each step one line is
// printed, the last layer's hidden state, nine digits a number: enough to tell any two float32 apart. step.py prints
// the same bytes. What cannot be used is refused in one line, with exit code 2.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "elman/network.h"
#include "safetensors.h"

namespace {

using safetensors::Refusal;
using safetensors::Shape;
using safetensors::shown;

using Network = elman::Network<float>;
using Tensors = std::map<std::string, safetensors::Tensor>;

std::string shown(const Shape& shape) {
  std::string text = "(";
  for (const std::uint64_t size : shape) text.append(text.size() > 1 ? ", " : "").append(std::to_string(size));
  return text.append(")");
}

elman::Cell read_cell(std::map<std::string, std::string> metadata) {
  if (metadata["format"] != "elman rnn") throw Refusal("expected a network that elman.save wrote, got another file");
  const std::string version = metadata["version"];
  if (version != "1" && version != "2") throw Refusal("version: expected '1' or '2', got " + shown(version));
  const std::string key = version == "1" ? "nonlinearity" : "cell";  // version 1 had no gates
  for (const elman::Cell cell : {elman::Cell::tanh, elman::Cell::relu, elman::Cell::gru, elman::Cell::lstm}) {
    if (metadata[key] == sizes(cell).name && (version == "2" || sizes(cell).gates == 1)) return cell;
  }
  const std::string choices = version == "1" ? "'tanh' or 'relu'" : "'tanh', 'relu', 'gru' or 'lstm'";
  throw Refusal(key + ": expected " + choices + ", got " + shown(metadata[key]));
}

// Rows of all gates, and input_size.
Shape read_sizes(const Tensors& tensors, std::uint64_t gates) {
  for (const auto& [name, tensor] : tensors) {
    if (name.ends_with("_reverse")) {
      throw Refusal("expected a network in one direction, got a bidirectional one, which begins at the last step");
    }
  }
  const auto first = tensors.find("weight_ih_l0");
  if (first == tensors.end()) throw Refusal("weight_ih_l0: expected this tensor, it is missing");
  const Shape& shape = first->second.shape;
  if (shape.size() != 2 || shape[0] == 0 || shape[0] % gates != 0 || shape[1] == 0) {
    const std::string rows = gates == 1 ? "hidden_size" : std::to_string(gates) + " * hidden_size";
    throw Refusal("weight_ih_l0: expected the shape (" + rows + ", input_size), got " + shown(shape));
  }
  return shape;
}

std::shared_ptr<const Network> read_network(const std::string& path) {
  safetensors::File file(path);
  const elman::Cell cell = read_cell(file.metadata());
  const auto gates = static_cast<std::uint64_t>(sizes(cell).gates);
  const Shape first = read_sizes(file.tensors(), gates);
  const std::uint64_t rows = first[0], hidden_size = rows / gates;
  const bool bias = file.tensors().contains("bias_ih_l0");

  Tensors left = file.tensors();
  std::vector<std::vector<float>> memory;
  const auto read = [&](const std::string& name, const Shape& shape) {
    const auto tensor = left.extract(name);
    if (!tensor) throw Refusal(name + ": expected this tensor, it is missing");
    if (tensor.mapped().shape != shape) {
      throw Refusal(name + ": expected the shape " + shown(shape) + ", got " + shown(tensor.mapped().shape));
    }
    memory.push_back(file.read(tensor.mapped()));
    return memory.back().data();
  };
  std::vector<elman::Weights<float>> layers;
  for (std::string n = "0"; left.contains("weight_ih_l" + n); n = std::to_string(layers.size())) {
    const std::uint64_t reads = layers.empty() ? first[1] : hidden_size;
    layers.push_back({
        .input_size = static_cast<std::int64_t>(reads),
        .hidden_size = static_cast<std::int64_t>(hidden_size),
        .input = read("weight_ih_l" + n, {rows, reads}),
        .recurrent = read("weight_hh_l" + n, {rows, hidden_size}),
        .input_bias = bias ? read("bias_ih_l" + n, {rows}) : nullptr,
        .recurrent_bias = bias ? read("bias_hh_l" + n, {rows}) : nullptr,
    });
  }
  if (!left.empty()) throw Refusal(shown(left.begin()->first) + ": expected no tensor of this name");
  return std::make_shared<Network>(layers.data(), static_cast<int>(layers.size()), 1, cell);
}

// To double and then to float, as NumPy does, which in rare cases is another float than the nearest.
float read_number(const std::string& word) {
  char* end = nullptr;
  const double number = std::strtod(word.c_str(), &end);
  const bool decimal = word.find_first_not_of("0123456789+-.eE") == std::string::npos;  // strtod takes more
  if (!decimal || *end || std::abs(number) > double{std::numeric_limits<float>::max()}) {
    throw Refusal("expected decimal numbers within float32, got " + shown(word));
  }
  return static_cast<float>(number);
}

void read_step(const std::string& line, std::vector<float>& input) {
  const std::size_t expected = input.size();
  std::istringstream words(line);
  input.clear();
  for (std::string word; words >> word;) input.push_back(read_number(word));
  if (input.size() != expected) {
    throw Refusal("expected " + std::to_string(expected) + " numbers, got " + std::to_string(input.size()));
  }
}

void print(const std::vector<float>& output) {
  std::string line;
  for (const float value : output) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", double{value});
    line.append(line.empty() ? "" : " ").append(std::isnan(value) ? "nan" : text);  // printf has -nan as well
  }
  std::puts(line.c_str());
  if (std::fflush(stdout) != 0) throw Refusal("expected a place to print to, it cannot be written");
}

void step_through(std::istream& series, const std::string& name, std::shared_ptr<const Network> network) {
  std::vector<float> input(static_cast<std::size_t>(network->input_size()));
  std::vector<float> output(static_cast<std::size_t>(network->hidden_size()));
  elman::Stream<float> stream(std::move(network), 1);
  std::int64_t number = 1;
  for (std::string line; std::getline(series, line); ++number) {
    try {
      read_step(line, input);
    } catch (const Refusal& refusal) {
      throw Refusal(name + ", line " + std::to_string(number) + ": " + refusal.what());
    }
    stream.step(input.data(), 0, 1, output.data());
    print(output);
  }
  if (!series.eof()) throw Refusal(name + ": expected a series that can be read");
}

std::shared_ptr<const Network> read_named_network(const std::string& path) {
  try {
    return read_network(path);
  } catch (const Refusal& refusal) {
    throw Refusal(path + ": " + refusal.what());
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    if (count != 3) throw Refusal("expected two arguments: a safetensors file, and a series or -");
    const std::string path = arguments[2];
    std::ifstream file;
    if (path != "-") file.open(path);
    step_through(path == "-" ? std::cin : file, path, read_named_network(arguments[1]));
    return 0;
  } catch (const std::bad_alloc&) {
    std::fputs("elman_step: expected a network and lines that fit into memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "elman_step: %s\n", error.what());
  }
  return 2;
}
