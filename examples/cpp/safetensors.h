// The float32 tensors of a safetensors file: eight bytes that hold the header's length, the header, the tensors.
//
//     {"__metadata__":{"name":"value"},"weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}
//
// A file may claim what it likes: every length is held against the file's size before memory is taken for it. What
// elman.save never writes is refused, even where the format allows it: other dtypes, and escapes in strings.
#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace safetensors {

static_assert(std::endian::native == std::endian::little && sizeof(float) == 4, "tensors are read as they lie");

// Why a file cannot be used, in one line.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Shape = std::vector<std::uint64_t>;

struct Tensor {
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // in bytes, from the end of the header
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> tensors;
};

inline constexpr std::uint64_t kLongestHeader = std::uint64_t{1} << 22;
inline constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32;

// A stranger's text for a message: one line, no control characters, not too long.
inline std::string shown(std::string_view text) {
  std::string safe = "'";
  safe.append(text.substr(0, 60)).append(text.size() > 60 ? "...'" : "'");
  std::replace_if(safe.begin(), safe.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return safe;
}

// Strict JSON, as far as a header has it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Header header() {
    Header header;
    object([&](const std::string& name) {
      if (name == "__metadata__") {
        object([&](const std::string& key) { header.metadata[key] = string(); });
      } else {
        header.tensors[name] = tensor(name);
      }
    });
    skip_space();
    if (at_ < text_.size()) refuse("the end");
    return header;
  }

 private:
  Tensor tensor(const std::string& name) {
    Tensor tensor;
    std::string dtype;
    std::vector<std::uint64_t> offsets;
    int members = 0;
    object([&](const std::string& key) {
      ++members;
      if (key == "dtype") {
        dtype = string();
      } else if (key == "shape") {
        tensor.shape = integers();
      } else if (key == "data_offsets") {
        offsets = integers();
      } else {
        throw Refusal(shown(name) + ": expected dtype, shape and data_offsets, got " + shown(key));
      }
    });
    if (members != 3 || offsets.size() != 2) {
      throw Refusal(shown(name) + ": expected dtype, shape and two data_offsets, one is missing");
    }
    if (dtype != "F32") throw Refusal(shown(name) + ": expected float32, which is F32, got " + shown(dtype));
    tensor.begin = offsets[0];
    tensor.end = offsets[1];
    return tensor;
  }

  // Calls member(name) at each value.
  template <class Member>
  void object(const Member& member) {
    std::set<std::string> seen;
    expect('{');
    if (take('}')) return;
    do {
      const std::string name = string();
      if (!seen.insert(name).second) throw Refusal("header: expected each name once, got " + shown(name) + " twice");
      expect(':');
      member(name);
    } while (take(','));
    expect('}');
  }

  std::vector<std::uint64_t> integers() {
    std::vector<std::uint64_t> values;
    expect('[');
    if (take(']')) return values;
    do values.push_back(integer());
    while (take(','));
    expect(']');
    return values;
  }

  std::uint64_t integer() {
    skip_space();
    const char* first = text_.data() + at_;
    const char* last = text_.data() + text_.size();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc() || (*first == '0' && end != first + 1)) refuse("an integer from 0 to 2^64 - 1");
    at_ += static_cast<std::size_t>(end - first);
    return value;
  }

  std::string string() {
    expect('"');
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20 || byte == '\\') refuse("a string without escapes and control characters");
    }
    expect('"');
    return std::string(text_.substr(begin, at_ - 1 - begin));
  }

  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) refuse(std::string(1, c));
  }

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size()); }

  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string got = at_ == text_.size() ? "its end" : shown(text_.substr(at_, 1));
    throw Refusal("header, byte " + std::to_string(at_) + ": expected " + expected + ", got " + got);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// A file whose header has been read and whose tensors have not.
class File {
 public:
  // Throws Refusal.
  explicit File(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) throw Refusal("expected a file, there is none");
    const std::uint64_t size = std::filesystem::file_size(path, error);
    stream_.open(path, std::ios::binary);
    if (error || !stream_) throw Refusal("expected a file that can be read");
    if (size < 8 || size > kLargestFile) {
      throw Refusal("expected a safetensors file, got " + std::to_string(size) + " bytes");
    }
    std::uint64_t length = 0;
    read(0, &length, 8);
    if (length > std::min(size - 8, kLongestHeader)) {
      throw Refusal("expected a safetensors file, got one cut short or of another kind");
    }
    std::string text(static_cast<std::size_t>(length), ' ');
    read(8, text.data(), length);
    start_ = 8 + length;
    header_ = Parser(text).header();
    check_places(size - start_);
  }

  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const std::map<std::string, Tensor>& tensors() const { return header_.tensors; }

  // One of tensors(). Throws Refusal.
  std::vector<float> read(const Tensor& tensor) {
    std::vector<float> values(static_cast<std::size_t>((tensor.end - tensor.begin) / sizeof(float)));
    read(start_ + tensor.begin, values.data(), tensor.end - tensor.begin);
    return values;
  }

 private:
  // Each tensor has the bytes that its shape demands; they lie behind one another and fill the file.
  void check_places(std::uint64_t room) const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    for (const auto& [name, tensor] : header_.tensors) {
      std::uint64_t bytes = sizeof(float);
      for (const std::uint64_t size : tensor.shape) {
        if (size && bytes > room / size) throw Refusal(shown(name) + ": expected a tensor that the file has room for");
        bytes *= size;
      }
      if (tensor.end < tensor.begin || tensor.end - tensor.begin != bytes) {
        throw Refusal(shown(name) + ": expected data_offsets " + std::to_string(bytes) + " bytes apart");
      }
      places.emplace_back(tensor.begin, tensor.end);
    }
    std::sort(places.begin(), places.end());
    std::uint64_t end = 0;
    for (const auto& [first, last] : places) {
      if (first != end) throw Refusal("expected tensors behind one another, got a gap or an overlap");
      end = last;
    }
    if (end != room) {
      throw Refusal("expected " + std::to_string(end) + " bytes after the header, got " + std::to_string(room));
    }
  }

  void read(std::uint64_t from, void* to, std::uint64_t bytes) {
    stream_.seekg(static_cast<std::streamoff>(from));
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
    if (!stream_) throw Refusal("expected a file that can be read to its end");
  }

  std::ifstream stream_;
  std::uint64_t start_ = 0;  // of the tensors
  Header header_;
};

}  // namespace safetensors
