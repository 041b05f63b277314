// How the pointwise part of a program's steps is shared out among threads: by units, or, where a value hangs on all
// units of its row, by rows.
#pragma once

#include "program/interpreter.h"
#include "recurrence/schedule.h"

namespace elman {
namespace {

template <class T>
class ProgramShares {
 public:
  ProgramShares(const UnitShares& shares, const Plan& plan, std::int64_t batch, std::int64_t units)
      : shares_(shares), plan_(plan), batch_(batch), all_units_(units) {}

  // Makes room in a layout for an interpreter of each share, and once that has its memory, the interpreters there.
  void reserve(Layout& layout) {
    for (int share = 0; share < shares_.count(); ++share) {
      places_[share] = Interpreter<T>::reserve(layout, plan_, units(share).end - units(share).begin);
    }
  }
  void make_in(const Layout& layout, const T* const* of_units) {
    for (int share = 0; share < shares_.count(); ++share) {
      interpreters_[share] = Interpreter<T>(layout, places_[share], plan_, units(share), of_units);
    }
  }

  // Then it reads what the products of other shares give.
  bool by_rows() const { return plan_.takes_whole_rows; }
  std::int64_t first_row(int share) const {
    return by_rows() ? (batch_ * share + shares_.count() - 1) / shares_.count() : 0;
  }
  std::int64_t last_row(int share) const { return by_rows() ? first_row(share + 1) : batch_; }
  Units units(int share) const { return by_rows() ? Units{0, all_units_} : shares_.of(all_units_, share); }
  const Interpreter<T>& operator[](int share) const { return interpreters_[share]; }

 private:
  const UnitShares& shares_;
  const Plan& plan_;
  std::int64_t batch_, all_units_;
  typename Interpreter<T>::Places places_[Stages::kMostShares];
  Interpreter<T> interpreters_[Stages::kMostShares];
};

}  // namespace
}  // namespace elman
