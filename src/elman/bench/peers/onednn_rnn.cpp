// A layer in oneDNN's own C++ interface, for onednn.py. Arrays are laid out as PyTorch lays them out.
#include <cstring>
#include <dnnl.hpp>
#include <optional>
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

struct Rnn {
  engine cpu{engine::kind::cpu, 0};
  stream on{cpu};
  std::vector<Step> steps;
  std::vector<memory> gradients;                         // that the backward primitive adds to
  std::vector<std::pair<memory, memory::desc>> results;  // with the layout in which they are read

  Rnn(long steps_, long batch, long input_size, long hidden_size, bool training, bool state, float* x, float* h_0,
      float* weight_ih, float* weight_hh, float* bias, float* d_output) {
    auto plain = [](memory::dims sizes, Tag tag) { return memory::desc(sizes, memory::data_type::f32, tag); };
    memory::dims of_ih{1, 1, input_size, 1, hidden_size}, of_hh{1, 1, hidden_size, 1, hidden_size};
    auto input = plain({steps_, batch, input_size}, Tag::tnc), output = plain({steps_, batch, hidden_size}, Tag::tnc);
    auto initial = state ? plain({1, 1, batch, hidden_size}, Tag::ldnc) : memory::desc();
    auto user_ih = plain(of_ih, Tag::ldgoi), user_hh = plain(of_hh, Tag::ldgoi);
    auto any_ih = plain(of_ih, Tag::any), any_hh = plain(of_hh, Tag::any);
    auto of_bias = plain({1, 1, 1, hidden_size}, Tag::ldgo);

    auto reordered = [&](const memory::desc& from, float* data, const memory::desc& to) {
      memory source(from, cpu, data), target(to, cpu);
      reorder(source, target).execute(on, source, target);
      on.wait();
      return target;
    };

    auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
    vanilla_rnn_forward::primitive_desc forward(cpu, kind, algorithm::eltwise_tanh,
                                                rnn_direction::unidirectional_left2right, input, initial, any_ih,
                                                any_hh, of_bias, output, memory::desc());
    memory source(input, cpu, x), weights_bias = reordered(of_bias, bias, of_bias), result(output, cpu);
    std::vector<std::pair<int, memory>> arguments{
        {DNNL_ARG_SRC_LAYER, source},
        {DNNL_ARG_WEIGHTS_LAYER, reordered(user_ih, weight_ih, forward.weights_layer_desc())},
        {DNNL_ARG_WEIGHTS_ITER, reordered(user_hh, weight_hh, forward.weights_iter_desc())},
        {DNNL_ARG_BIAS, weights_bias},
        {DNNL_ARG_DST_LAYER, result}};
    if (state) arguments.push_back({DNNL_ARG_SRC_ITER, memory(initial, cpu, h_0)});
    if (training) arguments.push_back({DNNL_ARG_WORKSPACE, memory(forward.workspace_desc(), cpu)});
    steps.emplace_back(vanilla_rnn_forward(forward), arguments);
    results.push_back({result, output});
    if (!training) return;

    vanilla_rnn_backward::primitive_desc backward(cpu, prop_kind::backward, algorithm::eltwise_tanh,
                                                  rnn_direction::unidirectional_left2right, input, initial, any_ih,
                                                  any_hh, of_bias, output, memory::desc(), input, initial, any_ih,
                                                  any_hh, of_bias, output, memory::desc(), forward);
    memory d_input(input, cpu);
    gradients = {memory(backward.diff_weights_layer_desc(), cpu), memory(backward.diff_weights_iter_desc(), cpu),
                 memory(of_bias, cpu)};
    steps.emplace_back(vanilla_rnn_backward(backward),
                       std::vector<std::pair<int, memory>>{
                           {DNNL_ARG_SRC_LAYER, source},
                           {DNNL_ARG_WEIGHTS_LAYER, reordered(user_ih, weight_ih, backward.weights_layer_desc())},
                           {DNNL_ARG_WEIGHTS_ITER, reordered(user_hh, weight_hh, backward.weights_iter_desc())},
                           {DNNL_ARG_BIAS, weights_bias},
                           {DNNL_ARG_DST_LAYER, result},
                           {DNNL_ARG_WORKSPACE, arguments.back().second},
                           {DNNL_ARG_SRC_ITER, memory(initial, cpu, h_0)},
                           {DNNL_ARG_DIFF_SRC_ITER, memory(initial, cpu)},
                           {DNNL_ARG_DIFF_DST_LAYER, memory(output, cpu, d_output)},
                           {DNNL_ARG_DIFF_SRC_LAYER, d_input},
                           {DNNL_ARG_DIFF_WEIGHTS_LAYER, gradients[0]},
                           {DNNL_ARG_DIFF_WEIGHTS_ITER, gradients[1]},
                           {DNNL_ARG_DIFF_BIAS, gradients[2]}});
    results.insert(results.end(),
                   {{d_input, input}, {gradients[0], user_ih}, {gradients[1], user_hh}, {gradients[2], of_bias}});
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

// Never freed: a process makes a few. x, h_0 and d_output stay the caller's and are read in every run.
void* rnn_make(long steps, long batch, long input_size, long hidden_size, bool training, bool state, float* x,
               float* h_0, float* weight_ih, float* weight_hh, float* bias, float* d_output) {
  Rnn* made = nullptr;
  caught([&] {
    made =
        new Rnn(steps, batch, input_size, hidden_size, training, state, x, h_0, weight_ih, weight_hh, bias, d_output);
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
