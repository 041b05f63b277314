// A layer in oneDNN's own C++ interface, for onednn.py. Arrays are laid out as PyTorch lays them out, but for the order
// of gates, which is oneDNN's.
#include <cstring>
#include <dnnl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

using namespace dnnl;
using Tag = memory::format_tag;

namespace {

std::string said;

// A primitive with its arguments, ready to be executed again and again: no map is walked in a call.
class Step {
 public:
  Step(primitive of, std::vector<std::pair<int, memory>> with) : of_(std::move(of)), kept_(std::move(with)) {
    for (auto& [place, held] : kept_) arguments_.push_back({place, held.get()});
  }
  void run(stream& on) const {
    auto status = dnnl_primitive_execute(of_.get(), on.get(), int(arguments_.size()), arguments_.data());
    dnnl::error::wrap_c_api(status, "execution failed");
  }

 private:
  primitive of_;
  std::vector<std::pair<int, memory>> kept_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

struct Layout {
  memory::desc input, state, weight_ih, weight_hh, bias, output;
};

struct Passes {
  rnn_primitive_desc_base forward, backward;
};

// The primitives of a cell; the states are as many as it has, each with the layout of a state.
template <class Forward, class Backward, class... States>
Passes passes(const engine& cpu, bool training, const Layout& of, const States&... states) {
  constexpr auto direction = rnn_direction::unidirectional_left2right;
  auto none = [](const auto&) { return memory::desc(); };  // of the final states
  typename Forward::primitive_desc forward(cpu, training ? prop_kind::forward_training : prop_kind::forward_inference,
                                           direction, of.input, states..., of.weight_ih, of.weight_hh, of.bias,
                                           of.output, none(states)...);
  if (!training) return {forward, {}};
  typename Backward::primitive_desc backward(cpu, prop_kind::backward, direction, of.input, states..., of.weight_ih,
                                             of.weight_hh, of.bias, of.output, none(states)..., of.input, states...,
                                             of.weight_ih, of.weight_hh, of.bias, of.output, none(states)..., forward);
  return {forward, backward};
}

// The one primitive that also takes a function.
template <class Plain>
struct Tanh {
  struct primitive_desc : Plain::primitive_desc {
    template <class... Rest>
    primitive_desc(const engine& cpu, prop_kind kind, const Rest&... rest)
        : Plain::primitive_desc(cpu, kind, algorithm::eltwise_tanh, rest...) {}
  };
};

Passes passes(const std::string& cell, const engine& cpu, bool training, const Layout& of) {
  if (cell == "rnn") return passes<Tanh<vanilla_rnn_forward>, Tanh<vanilla_rnn_backward>>(cpu, training, of, of.state);
  if (cell == "gru") return passes<lbr_gru_forward, lbr_gru_backward>(cpu, training, of, of.state);  // PyTorch's
  if (cell == "lstm") return passes<lstm_forward, lstm_backward>(cpu, training, of, of.state, of.state);
  throw std::invalid_argument("no such cell: " + cell);
}

struct Rnn {
  engine cpu{engine::kind::cpu, 0};
  stream on{cpu};
  std::vector<Step> steps;
  std::vector<memory> gradients;                         // that the backward primitive adds to
  std::vector<std::pair<memory, memory::desc>> results;  // with the layout in which they are read

  // gates: of the weights; biases: blocks of the bias. c_0 is null where the cell has none.
  Rnn(const std::string& cell, long steps_, long batch, long input_size, long hidden_size, long gates, long biases,
      bool training, bool state, float* x, float* h_0, float* c_0, float* weight_ih, float* weight_hh, float* bias,
      float* d_output) {
    auto plain = [](memory::dims sizes, Tag tag) { return memory::desc(sizes, memory::data_type::f32, tag); };
    memory::dims of_ih{1, 1, input_size, gates, hidden_size}, of_hh{1, 1, hidden_size, gates, hidden_size};
    auto user_ih = plain(of_ih, Tag::ldgoi), user_hh = plain(of_hh, Tag::ldgoi);
    Layout of{plain({steps_, batch, input_size}, Tag::tnc),
              state ? plain({1, 1, batch, hidden_size}, Tag::ldnc) : memory::desc(),
              plain(of_ih, Tag::any),
              plain(of_hh, Tag::any),
              plain({1, 1, biases, hidden_size}, Tag::ldgo),
              plain({steps_, batch, hidden_size}, Tag::tnc)};
    auto [forward, backward] = passes(cell, cpu, training, of);

    auto reordered = [&](const memory::desc& from, float* data, const memory::desc& to) {
      memory source(from, cpu, data), target(to, cpu);
      reorder(source, target).execute(on, source, target);
      on.wait();
      return target;
    };
    using Arguments = std::vector<std::pair<int, memory>>;
    Arguments common{{DNNL_ARG_SRC_LAYER, memory(of.input, cpu, x)},
                     {DNNL_ARG_BIAS, reordered(of.bias, bias, of.bias)},
                     {DNNL_ARG_DST_LAYER, memory(of.output, cpu)}};
    if (state) common.emplace_back(DNNL_ARG_SRC_ITER, memory(of.state, cpu, h_0));
    if (state && c_0) common.emplace_back(DNNL_ARG_SRC_ITER_C, memory(of.state, cpu, c_0));
    if (training) common.emplace_back(DNNL_ARG_WORKSPACE, memory(forward.workspace_desc(), cpu));
    auto with = [&](const rnn_primitive_desc_base& pass, Arguments more) {
      more.insert(more.end(), common.begin(), common.end());
      more.emplace_back(DNNL_ARG_WEIGHTS_LAYER, reordered(user_ih, weight_ih, pass.weights_layer_desc()));
      more.emplace_back(DNNL_ARG_WEIGHTS_ITER, reordered(user_hh, weight_hh, pass.weights_iter_desc()));
      return more;
    };
    steps.emplace_back(primitive(forward), with(forward, {}));
    results.emplace_back(common[2].second, of.output);
    if (!training) return;

    memory d_input(of.input, cpu);
    gradients = {memory(backward.diff_weights_layer_desc(), cpu), memory(backward.diff_weights_iter_desc(), cpu),
                 memory(of.bias, cpu)};
    Arguments more{{DNNL_ARG_DIFF_DST_LAYER, memory(of.output, cpu, d_output)},
                   {DNNL_ARG_DIFF_SRC_ITER, memory(of.state, cpu)},
                   {DNNL_ARG_DIFF_SRC_LAYER, d_input},
                   {DNNL_ARG_DIFF_WEIGHTS_LAYER, gradients[0]},
                   {DNNL_ARG_DIFF_WEIGHTS_ITER, gradients[1]},
                   {DNNL_ARG_DIFF_BIAS, gradients[2]}};
    if (c_0) more.emplace_back(DNNL_ARG_DIFF_SRC_ITER_C, memory(of.state, cpu));
    steps.emplace_back(primitive(backward), with(backward, more));
    results.insert(results.end(),
                   {{d_input, of.input}, {gradients[0], user_ih}, {gradients[1], user_hh}, {gradients[2], of.bias}});
  }

  void run() {
    for (auto& each : gradients) std::memset(each.get_data_handle(), 0, each.get_desc().get_size());
    for (auto& each : steps) each.run(on);
  }
};

template <typename Work>
bool caught(Work work) {
  try {
    work();
    return true;
  } catch (std::exception& failure) {
    said = failure.what();
    return false;
  }
}

}  // namespace

extern "C" {

const char* rnn_error() { return said.c_str(); }

// Never freed: a process makes a few. x, h_0, c_0 and d_output stay the caller's and are read in every run.
void* rnn_make(const char* cell, long steps, long batch, long input_size, long hidden_size, long gates, long biases,
               bool training, bool state, float* x, float* h_0, float* c_0, float* weight_ih, float* weight_hh,
               float* bias, float* d_output) {
  Rnn* made = nullptr;
  caught([&] {
    made = new Rnn(cell, steps, batch, input_size, hidden_size, gates, biases, training, state, x, h_0, c_0, weight_ih,
                   weight_hh, bias, d_output);
  });
  return made;
}

bool rnn_run(Rnn* rnn, long calls) {
  return caught([&] {
    for (long call = 0; call < calls; ++call) rnn->run();
  });
}

// Writes output; then d_input, d_weight_ih, d_weight_hh, d_bias in training.
bool rnn_read(Rnn* rnn, float* output, float* d_input, float* d_weight_ih, float* d_weight_hh, float* d_bias) {
  float* targets[]{output, d_input, d_weight_ih, d_weight_hh, d_bias};
  return caught([&] {
    for (std::size_t i = 0; i < rnn->results.size(); ++i) {
      auto& [source, layout] = rnn->results[i];
      memory target(layout, rnn->cpu, targets[i]);
      reorder(source, target).execute(rnn->on, source, target);
    }
    rnn->on.wait();
  });
}
}
