// Strict JSON, as far as elman.save writes it: no values but those that are asked for.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace json {

// Why a file cannot be used, in one line.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A stranger's text for a message: one line, no control characters, not too long.
inline std::string shown(std::string_view text) {
  std::string safe = "'";
  safe.append(text.substr(0, 60)).append(text.size() > 60 ? "...'" : "'");
  std::replace_if(safe.begin(), safe.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return safe;
}

// Reads a text from its beginning to its end; a Refusal says at which byte something else was expected.
class Reader {
 public:
  // `name` is the text's, for messages.
  Reader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  // Calls member(name) at each value.
  template <class Member>
  void object(const Member& member) {
    std::set<std::string> seen;
    expect('{');
    if (take('}')) return;
    do {
      const std::string name = string();
      if (!seen.insert(name).second) {
        throw Refusal(name_ + ": expected each name once, got " + shown(name) + " twice");
      }
      expect(':');
      member(name);
    } while (take(','));
    expect('}');
  }

  // Calls element() at each value.
  template <class Element>
  void array(const Element& element) {
    expect('[');
    if (take(']')) return;
    do element();
    while (take(','));
    expect(']');
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

  double number() {
    skip_space();
    const std::size_t size = std::min(text_.find_first_not_of("0123456789+-.eE", at_), text_.size()) - at_;
    const std::string word(text_.substr(at_, size));
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (word.empty() || *end || !std::isfinite(value)) refuse("a number within float64");
    at_ += size;
    return value;
  }

  std::string string() {
    expect('"');
    std::string value;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_.substr(at_, 2) == "\\\"") ++at_;
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20 || byte == '\\') refuse("a string without control characters and escapes but \\\"");
      value.push_back(text_[at_]);
    }
    expect('"');
    return value;
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

  void expect_end() {
    skip_space();
    if (at_ < text_.size()) refuse("the end");
  }

  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string got = at_ == text_.size() ? "its end" : shown(text_.substr(at_, 1));
    throw Refusal(name_ + ", byte " + std::to_string(at_) + ": expected " + expected + ", got " + got);
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size()); }

  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
};

}  // namespace json
