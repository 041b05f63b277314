// Steps a recurrent network that elman.save wrote through a series, on the engine alone:
//
//     elman_step rnn.safetensors series.txt
//
// The series has a step a line: input_size numbers with spaces between; - is standard input. For each step one line is
// printed, the last layer's output, nine digits a number: enough to tell any two float32 apart. step.py prints
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
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "elman/network.h"
#include "program.h"
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

// What a network is made of: one of the engine's cells, or a program.
struct Cell {
  elman::Cell engines;  // of a program: not read
  std::optional<CellProgram> program;

  bool is_recurrent() const { return !program || program->is_recurrent(); }
  std::uint64_t gates() const {
    return program ? program->gates().size() : static_cast<std::uint64_t>(sizes(engines).gates);
  }
  std::vector<std::string> states() const {
    if (program) return program->states();
    return sizes(engines).states == 2 ? std::vector<std::string>{"h", "c"} : std::vector<std::string>{"h"};
  }
  std::vector<std::string> unit_inputs() const { return program ? program->unit_inputs() : std::vector<std::string>{}; }
};

Cell read_cell(std::map<std::string, std::string> metadata) {
  if (metadata["format"] != "elman rnn") throw Refusal("expected a network that elman.save wrote, got another file");
  const std::string version = metadata["version"];
  if (version.size() != 1 || version < "1" || version > "4") {
    throw Refusal("version: expected '1', '2', '3' or '4', got " + shown(version));
  }
  if (version == "4") return {elman::Cell::tanh, CellProgram(metadata["program"])};
  const std::string key = version == "1" ? "nonlinearity" : "cell";  // version 1 had no gates
  for (const elman::Cell cell : {elman::Cell::tanh, elman::Cell::relu, elman::Cell::gru, elman::Cell::lstm}) {
    if (metadata[key] == sizes(cell).name && (version != "1" || sizes(cell).gates == 1)) return {cell, std::nullopt};
  }
  const std::string choices = version == "1" ? "'tanh' or 'relu'" : "'tanh', 'relu', 'gru' or 'lstm'";
  throw Refusal(key + ": expected " + choices + ", got " + shown(metadata[key]));
}

// Versions 3 and 4 alone say whether there are residual connections.
bool read_residual(std::map<std::string, std::string> metadata) {
  const std::string said = metadata["residual"];
  if (metadata["version"] < "3") return false;
  if (said != "true" && said != "false") throw Refusal("residual: expected 'true' or 'false', got " + shown(said));
  return said == "true";
}

// The tensors of a file: each is read once, and what is left over shows.
class Source {
 public:
  explicit Source(safetensors::File& file) : file_(file), left_(file.tensors()) {}

  bool has(const std::string& name) const { return left_.contains(name); }
  const Tensors& left() const { return left_; }

  const Shape& shape(const std::string& name) const {
    const auto found = left_.find(name);
    if (found == left_.end()) throw Refusal(name + ": expected this tensor, it is missing");
    return found->second.shape;
  }

  const float* read(const std::string& name, const Shape& expected) {
    if (shape(name) != expected) {
      throw Refusal(name + ": expected the shape " + shown(expected) + ", got " + shown(shape(name)));
    }
    memory_.push_back(file_.read(left_.extract(name).mapped()));
    return memory_.back().data();
  }

 private:
  safetensors::File& file_;
  Tensors left_;
  std::vector<std::vector<float>> memory_;
};

// A layer, which reads the units of the one before it, or if there is none, what `before` 0 stands for: any number.
elman::Weights<float> read_layer(Source& source, const std::string& number, const Cell& cell, std::uint64_t before,
                                 bool bias) {
  const std::string name = "weight_ih_l" + number;
  const Shape shape = source.shape(name);
  const std::uint64_t gates = cell.gates();
  const bool is_matrix = shape.size() == 2 && shape[0] != 0 && shape[0] % gates == 0 && shape[1] != 0;
  if (!is_matrix || (before != 0 && shape[1] != before)) {
    const std::string rows = gates == 1 ? "hidden_size" : std::to_string(gates) + " * hidden_size";
    const std::string reads = before == 0 ? "input_size" : std::to_string(before);
    throw Refusal(name + ": expected the shape (" + rows + ", " + reads + "), got " + shown(shape));
  }
  const std::uint64_t rows = shape[0], units = rows / gates;
  const bool recurrent = cell.is_recurrent();
  return {
      .input_size = static_cast<std::int64_t>(shape[1]),
      .hidden_size = static_cast<std::int64_t>(units),
      .input = source.read(name, shape),
      .recurrent = recurrent ? source.read("weight_hh_l" + number, {rows, units}) : nullptr,
      .input_bias = bias ? source.read("bias_ih_l" + number, {rows}) : nullptr,
      .recurrent_bias = bias && recurrent ? source.read("bias_hh_l" + number, {rows}) : nullptr,
  };
}

using Layers = std::vector<elman::Weights<float>>;

std::uint64_t units_of(const elman::Weights<float>& layer) { return static_cast<std::uint64_t>(layer.hidden_size); }

// Learned initial states, the first of all layers, behind them all of the next; none where they are not learned.
std::vector<float> read_start(Source& source, const Layers& layers, const std::vector<std::string>& states) {
  std::vector<float> start;
  if (!source.has(states.front() + "_0_l0")) return start;
  for (const std::string& name : states) {
    for (std::size_t n = 0; n < layers.size(); ++n) {
      const float* state = source.read(name + "_0_l" + std::to_string(n), {units_of(layers[n])});
      start.insert(start.end(), state, state + units_of(layers[n]));
    }
  }
  return start;
}

std::shared_ptr<const Network> read_network(const std::string& path) {
  safetensors::File file(path);
  const Cell cell = read_cell(file.metadata());
  const bool residual = read_residual(file.metadata());
  for (const auto& [name, tensor] : file.tensors()) {
    if (name.ends_with("_reverse")) {
      throw Refusal("expected a network in one direction, got a bidirectional one, which begins at the last step");
    }
  }
  Source source(file);
  const bool bias = source.has("bias_ih_l0");
  Layers layers;
  std::vector<elman::Program> programs;
  std::vector<std::vector<const float*>> unit_inputs;
  std::string number = "0";
  do {
    layers.push_back(read_layer(source, number, cell, layers.empty() ? 0 : units_of(layers.back()), bias));
    if (cell.program) programs.push_back(cell.program->compile(units_of(layers.back())));
    unit_inputs.emplace_back();
    for (const std::string& name : cell.unit_inputs()) {
      unit_inputs.back().push_back(source.read(name + "_l" + number, {units_of(layers.back())}));
    }
    number = std::to_string(layers.size());
  } while (source.has("weight_ih_l" + number));
  const std::vector<float> start = read_start(source, layers, cell.states());
  if (!source.left().empty()) {
    throw Refusal(shown(source.left().begin()->first) + ": expected no tensor of this name");
  }
  std::vector<const elman::Program*> of_layers;
  for (const elman::Program& program : programs) of_layers.push_back(&program);
  std::vector<const float* const*> inputs_of_layers;
  for (const auto& inputs : unit_inputs) inputs_of_layers.push_back(inputs.data());
  return std::make_shared<Network>(layers.data(), static_cast<int>(layers.size()), 1, cell.engines,
                                   elman::NetworkOptions<float>{
                                       .start = start.empty() ? nullptr : start.data(),
                                       .residual = residual,
                                       .programs = programs.empty() ? nullptr : of_layers.data(),
                                       .unit_inputs = inputs_of_layers.data(),
                                   });
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
  std::vector<float> output(static_cast<std::size_t>(network->output_size()));
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
  } catch (const std::invalid_argument& refusal) {  // the engine's
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
