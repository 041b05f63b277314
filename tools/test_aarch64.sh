#!/bin/sh
# Compares the engine's bits on aarch64, run by qemu, with those on this machine, over the cases of
# tests/engine/checksums. On Debian: apt install g++-aarch64-linux-gnu qemu-user-static.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/${VENV:-.venv}/bin:$PATH # CMake comes with the dev extra
compiler=aarch64-linux-gnu-g++
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if ! command -v $compiler >/dev/null || [ -z "$emulator" ]; then
  echo "test-aarch64: needs $compiler and qemu-aarch64: apt install g++-aarch64-linux-gnu qemu-user-static" >&2
  exit 2
fi

# build FOLDER [CMake's options]
build() {
  folder=$1
  shift
  cmake -S tests/engine/checksums -B "$folder" "$@" >"$folder.log"
  cmake --build "$folder" -j 2 >>"$folder.log"
}

mkdir -p build
here=build/checksums there=build/checksums-aarch64
build $here
env -u ELMAN_ISA $here/elman_checksums >$here/printed
read -r instruction_set <$here/printed
if [ "$instruction_set" = x86-64 ]; then
  echo "test-aarch64: skipped, for this processor has no fused multiply-add, and so has bits of its own"
  exit 0
fi
build $there -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$compiler
env -u ELMAN_ISA "$emulator" -L /usr/aarch64-linux-gnu $there/elman_checksums >$there/printed

for folder in $here $there; do tail -n +2 $folder/printed >$folder/checksums; done
diff $here/checksums $there/checksums
echo "test-aarch64: $(wc -l <$here/checksums) results are the same bits on neon and $instruction_set"
