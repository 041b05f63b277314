// The engine's cells, for a thread that steps one unit of one row.
#pragma once

#include "cells/elman.h"
#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/sized.h"

namespace elman {
namespace {

// One lane of what cells are written over.
using Lane = Several<float, 1>;

#define ELMAN_CELL(name, type, ...) using name##_cell = SizedCell<type, __VA_ARGS__>;
ELMAN_CELLS(ELMAN_CELL)
#undef ELMAN_CELL

}  // namespace
}  // namespace elman
