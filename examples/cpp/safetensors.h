// The float32 tensors of a safetensors file: eight bytes that hold the header's length, the header, the tensors.
//
//     {"__metadata__":{"name":"value"},"weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}
//
// A file may claim what it likes: every length is held against the file's size before memory is taken for it. What
// elman.save never writes is refused, even where the format allows it: other dtypes, and escapes in strings but \".
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "json.h"

namespace safetensors {

static_assert(std::endian::native == std::endian::little && sizeof(float) == 4, "tensors are read as they lie");

using json::Refusal;
using json::shown;

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

inline Tensor read_tensor(json::Reader& reader, const std::string& name) {
  Tensor tensor;
  std::string dtype;
  std::vector<std::uint64_t> offsets;
  int members = 0;
  reader.object([&](const std::string& key) {
    ++members;
    if (key == "dtype") {
      dtype = reader.string();
    } else if (key == "shape") {
      reader.array([&] { tensor.shape.push_back(reader.integer()); });
    } else if (key == "data_offsets") {
      reader.array([&] { offsets.push_back(reader.integer()); });
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

inline Header read_header(const std::string& text) {
  json::Reader reader(text, "header");
  Header header;
  reader.object([&](const std::string& name) {
    if (name == "__metadata__") {
      reader.object([&](const std::string& key) { header.metadata[key] = reader.string(); });
    } else {
      header.tensors[name] = read_tensor(reader, name);
    }
  });
  reader.expect_end();
  return header;
}

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
    header_ = read_header(text);
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
