#!/bin/sh
# What only a machine with an NVIDIA GPU can show, in at most four minutes: installs into an environment of its own, runs the
# tests marked gpu, looks for races and reads out of bounds where compute-sanitizer is there, measures beside PyTorch's
# layers, and prints a table last. Needs g++ and, if it is to be done in that time, a PyTorch for CUDA that PYTHON has
# already: it is used, nothing of it is changed. Without a network give pip what it needs: PIP_NO_INDEX=1
# PIP_FIND_LINKS=folder. VENV names another environment, which may exist.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}" "${VENV:=.venv-cuda}"
bin=$VENV/bin
began=$(date +%s)
PATH=$PATH:/usr/local/cuda/bin # where compute-sanitizer lies

step() { printf '\n== %s (%s s)\n' "$1" $(($(date +%s) - began)); }

step 'Install'
command -v "${CXX:-g++}" >/dev/null || { echo "needs a compiler of C++: apt-get install g++"; exit 2; }
if [ ! -x "$bin/python" ]; then
  # Debian's python3 has no ensurepip: there the environment gets its pip from the system's
  "$PYTHON" -m venv --system-site-packages "$VENV" 2>/dev/null || {
    "$PYTHON" -m venv --clear --without-pip --system-site-packages "$VENV"
    "$bin/python" -m pip --version >/dev/null || { echo "needs pip: apt-get install python3-pip"; exit 2; }
  }
  # where PYTHON is itself an environment's, its packages are not the system's
  "$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
    >"$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/behind.pth"
fi
"$bin/python" -m pip install --quiet --editable '.[cuda]' 'pytest>=8,<10' 'pytest-timeout>=2.3,<3' 'hypothesis>=6.100,<7'
"$bin/python" - <<'PYTHON'
import torch

if not torch.cuda.is_available():
    raise SystemExit("PyTorch finds no GPU: nothing can be shown here")
print(torch.cuda.get_device_name(), "torch", torch.__version__, "cuDNN", torch.backends.cudnn.version())
PYTHON

failed=
step 'Tests'
timeout 90 "$bin/python" -m pytest -q -m gpu tests/cuda/test_on_gpu.py || failed="$failed tests"

step 'compute-sanitizer'
if command -v compute-sanitizer >/dev/null; then
  mkdir -p build
  for tool in memcheck racecheck; do
    # ours alone: PyTorch's own kernels would take minutes
    timeout 30 compute-sanitizer --tool "$tool" --kernel-name kernel_substring=elman_kernel --error-exitcode 1 \
      --log-file "build/cuda_$tool.log" "$bin/python" -m tests.cuda.short_run \
      || { failed="$failed $tool"; tail -n 20 "build/cuda_$tool.log"; }
  done
else
  echo 'not here: neither memcheck nor racecheck has run'
fi

# what is left of four minutes
step 'Speed'
left=$((235 - $(date +%s) + began))
timeout $((left > 60 ? left : 60)) "$bin/python" benchmarks/gpu.py || failed="$failed speed"
step 'Done'
if [ -n "$failed" ]; then
  echo "FAILED:$failed"
  exit 1
fi
echo 'All passed.'
