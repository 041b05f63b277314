// What every entry to the engine asks of a sequence.
#pragma once

#include "elman/engine.h"

namespace elman {

// False when there is nothing to do. Throws std::invalid_argument for a sequence that cannot be.
bool check(const Sequence& sequence);

}  // namespace elman
