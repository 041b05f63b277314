#!/bin/sh
# Writes into dist the sdist and, made from it, a wheel of this processor for any Linux with glibc 2.28 or later; then
# tries that wheel, in an environment of its own where no compiler is found, by the tests that the sdist holds. VENV is
# a virtual environment with tools/wheel.txt.
#
# The compiler is zig's clang, which comes by pip and links against a glibc as old as one asks for; its C++ library is
# linked statically. nanobind's headers count on another C++ library's including <cstdio>. The unwinder is the system's,
# given first: glibc ends a thread by unwinding it with that one, and zig's own then crashes a process that ends while
# daemon threads are in the engine.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/$VENV/bin
PATH=$bin:$PATH
work=$PWD/build/wheel
machine=$(uname -m)
unwinder=$(/sbin/ldconfig -p | sed -n 's/.*libgcc_s\.so\.1 (libc6,\(x86-64\|AArch64\).* => //p' | head -n 1)
rm -rf "$work"
mkdir -p "$work/none" dist
CXX="$bin/python -m ziglang c++ -target $machine-linux-gnu.2.28" CXXFLAGS="-include cstdio" \
  python -m build -C "cmake.define.CMAKE_MODULE_LINKER_FLAGS=$unwinder" --outdir "$work/built" .
auditwheel repair --plat "manylinux_2_28_$machine" --wheel-dir "$work/dist" "$work"/built/*.whl

python -m venv --without-pip "$work/venv"
python -m pip --python "$work/venv/bin/python" install --quiet "$work"/dist/*.whl \
  'hypothesis>=6.100,<7' 'pytest>=8,<10' 'pytest-timeout>=2.3,<3'
tar -xzf "$work"/built/*.tar.gz -C "$work"
cd "$work"/elman-*/
env -i PATH="$work/none" HOME="$work" LANG=C.UTF-8 "$work/venv/bin/python" -c 'import elman.runtime, elman._engine as e
print("elman", elman.__version__, "on", e.instruction_set(), "from", elman.__file__)'
env -i PATH="$work/none" HOME="$work" LANG=C.UTF-8 "$work/venv/bin/python" -m pytest -q -p no:cacheprovider \
  tests/runtime tests/engine/test_bits.py tests/engine/test_levels.py
cd - >/dev/null
cp "$work"/built/*.tar.gz "$work"/dist/*.whl dist/
ls -l dist
