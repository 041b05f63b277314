// Streams over NumPy arrays.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/buffer.h"
#include "bindings/released.h"

// A stream and what its steps need of Python.
template <class T>
class PythonStream {
 public:
  // `convert` is called with this stream and the arguments of a step that are not arrays which the engine can read and
  // write as they are; it calls step again with such as are, or raises.
  PythonStream(std::shared_ptr<const elman::Network<T>> network, std::int64_t batch, nb::object convert)
      : stream_(std::move(network), batch), convert_(std::move(convert)) {
    const elman::Network<T>& net = stream_.network();
    row_ = nb::make_tuple(net.output_size());
    rows_ = nb::make_tuple(batch, net.output_size());
    gives_up_gil_ = is_worth_the_gil(multiplications(net, 1, batch));
  }

  nb::object step(nb::handle input, nb::handle out, nb::handle reset) {
    const auto convert = [&] { return convert_(nb::find(*this), input, out, reset); };
    // subclasses too are left to `convert`: a masked array has more to say than its buffer
    if (!input.type().is(numpy->ndarray) || !(out.is_none() || out.type().is(numpy->ndarray))) {
      return convert();
    }
    const Buffer from(input, false);
    const elman::Network<T>& network = stream_.network();
    const bool one = from.dimensions() == 1 && stream_.batch() == 1;
    if (!from.holds<T>() || (!one && !(from.dimensions() == 2 && from.size(0) == stream_.batch())) ||
        from.size(from.dimensions() - 1) != network.input_size()) {
      return convert();
    }
    nb::object result = out.is_none() ? numpy->empty(one ? row_ : rows_, numpy->dtype<T>()) : nb::borrow(out);
    const Buffer to(result, true);
    if (!to.holds<T>() || !to.is_contiguous() || to.dimensions() != from.dimensions() ||
        to.size(to.dimensions() - 1) != network.output_size() || (!one && to.size(0) != stream_.batch())) {
      return convert();
    }
    std::optional<Buffer> mask;
    const bool all = reset.ptr() == Py_True, none = reset.is_none() || reset.ptr() == Py_False;
    const std::uint8_t* flags = all || none ? nullptr : flags_of(reset, mask);
    if (!all && !none && !flags) return convert();
    const Use use(*this);
    if (!none) reset_rows(flags);
    const std::ptrdiff_t row = one ? 0 : from.stride<T>(0), feature = from.stride<T>(from.dimensions() - 1);
    {
      const ReleasedIf released(gives_up_gil_);
      stream_.step(from.data<T>(), row, feature, to.data<T>(), threads.load(std::memory_order_relaxed));
    }
    return result;
  }

  void reset(nb::handle rows) {
    std::optional<Buffer> mask;
    const std::uint8_t* flags = flags_of(rows, mask);
    require(flags != nullptr, "rows: expected contiguous booleans, one for each sequence");
    const Use use(*this);
    reset_rows(flags);
  }

  void read_states(Array<T> states) {
    const Use use(*this);
    require_states(states);
    std::copy(stream_.states(), stream_.states() + states.size(), states.data());
  }

  void write_states(Array<const T> states) {
    const Use use(*this);
    require_states(states);
    std::copy(states.data(), states.data() + states.size(), stream_.states());
  }

 private:
  // One caller at a time: while the GIL is given up another thread may come.
  class Use {
   public:
    explicit Use(PythonStream& stream) : stream_(stream) {
      if (stream.busy_.exchange(true, std::memory_order_acquire)) {
        throw std::runtime_error("stream: expected one thread at a time, another one is using it; make each its own");
      }
    }
    ~Use() { stream_.busy_.store(false, std::memory_order_release); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    PythonStream& stream_;
  };

  // What `rows` flag, if they are contiguous booleans (batch,), which `mask` then holds; null for all else. Bytes and
  // not bool, for views may hold any.
  const std::uint8_t* flags_of(nb::handle rows, std::optional<Buffer>& mask) const {
    if (!rows.type().is(numpy->ndarray)) return nullptr;
    const Buffer& flags = mask.emplace(rows, false);
    const bool fits =
        flags.holds<bool>() && flags.dimensions() == 1 && flags.is_contiguous() && flags.size(0) == stream_.batch();
    return fits ? flags.data<const std::uint8_t>() : nullptr;
  }

  // Those that are flagged; null: all.
  void reset_rows(const std::uint8_t* flags) {
    for (std::int64_t row = 0; row < stream_.batch(); ++row) {
      if (!flags || flags[row]) stream_.reset(row);
    }
  }

  template <class Element>
  void require_states(const Array<Element>& states) const {
    const std::int64_t size = stream_.batch() * stream_.network().state_size();
    require(length(states.size()) == stream_.network().states() * size && is_contiguous(states),
            "states: expected those of all layers");
  }

  elman::Stream<T> stream_;
  std::atomic<bool> busy_{false};
  nb::object convert_, row_, rows_;
  bool gives_up_gil_;
};
