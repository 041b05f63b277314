#!/bin/sh
# Runs clang-tidy over the engine and its bindings: some half a minute of processor time. VENV is a virtual environment
# with the dev extra. Nothing is compiled; CMake only says how it would be.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/${VENV:-.venv}/bin
mkdir -p build
"$bin/cmake" -S . -B build/tidy -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DPython_EXECUTABLE="$bin/python" \
  -Dnanobind_DIR="$("$bin/python" -m nanobind --cmake_dir)" >build/tidy.log || { cat build/tidy.log; exit 1; }
find engine -name '*.cpp' -print0 | xargs -0 -n 1 -P 2 "$bin/clang-tidy" --quiet -p build/tidy
