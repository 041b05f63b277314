// Padded batches cut into pieces: where each piece lies among the padded rows, longest pieces first, and rows moved
// there and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bindings/tensors.h"

// The pieces of a batch, longest first.
struct Pieces {
  std::vector<std::int64_t> places;       // (pieces, 2), the step and the sequence at which each begins
  std::vector<std::int64_t> batch_sizes;  // of each packed step
  std::vector<std::int64_t> carried_on;   // the pieces that begin with what came in
  std::vector<std::int64_t> last;         // the last piece of each sequence that has any
  bool is_whole = false;                  // each sequence is one piece of all steps
  bool are_as_given = false;              // and there are some, and each begins with what came in

  std::size_t count() const { return places.size() / 2; }
  std::int64_t sequence(std::int64_t piece) const { return places[2 * static_cast<std::size_t>(piece) + 1]; }
};

// What a batch is cut by. Good until Python runs again.
struct Cuts {
  std::int64_t steps, batch;
  const std::int64_t* lengths = nullptr;  // null: all steps
  std::ptrdiff_t length_stride = 1;
  const bool* flags = nullptr;  // null: none
  std::ptrdiff_t step_stride = 0, sequence_stride = 0;

  bool resets(std::int64_t sequence, std::int64_t step) const {
    return flags && flags[step * step_stride + sequence * sequence_stride];
  }

  // Plain tensors, lengths (batch) and resets (steps, batch) or (batch, steps), each or None; whether they are.
  bool read(nb::handle of_lengths, nb::handle of_resets, bool batch_first);
  // None where a length is none of 0 to steps.
  std::optional<Pieces> pieces() const;
};

// The states (directions, pieces, units) that pieces begin with, of those of their sequences (directions, sequences,
// units): zeros where a reset has cut a piece off. None for None.
nb::object states_of_pieces(const Pieces& pieces, nb::handle given);

// The states that sequences end with, of those of their pieces. One of no steps ends with what it began with, zeros
// where that is None.
nb::object states_of_sequences(const Pieces& pieces, nb::handle of_pieces, nb::handle given, std::int64_t sequences);

// States (rows, units) with zeros in the rows that are flagged. None for None.
nb::object restarted(nb::handle states, nb::handle flags);
// Whether these are plain booleans (rows).
bool are_flags(nb::handle flags, std::int64_t rows);
