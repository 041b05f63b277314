#!/bin/sh
# What only a machine with an NVIDIA GPU can show, in some four minutes: installs into an environment of its own, runs the
# tests marked gpu, looks for races and reads out of bounds where compute-sanitizer is there, measures beside PyTorch's
# layers, and prints a table last. PYTHON is the interpreter; with VENV an environment that exists is used, PyTorch and all.
set -eu
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}" "${VENV:=.venv-cuda}"
if [ ! -x "$VENV/bin/python" ]; then
  # a PyTorch for CUDA that the interpreter has already is 3 GB less to fetch
  "$PYTHON" -m venv --system-site-packages "$VENV"
fi
bin=$VENV/bin
PATH=$PATH:/usr/local/cuda/bin  # where compute-sanitizer lies

step() { printf '\n== %s\n' "$1"; }

step 'Install'
"$bin/python" -m pip install --quiet --editable '.[cuda]' 'pytest>=8,<10' 'pytest-timeout>=2.3,<3' 'hypothesis>=6.100,<7'
"$bin/python" - <<'PYTHON'
import torch

if not torch.cuda.is_available():
    raise SystemExit("PyTorch finds no GPU: nothing can be shown here")
print(torch.cuda.get_device_name(), "torch", torch.__version__, "cuDNN", torch.backends.cudnn.version())
PYTHON

failed=
step 'Tests'
timeout 120 "$bin/python" -m pytest -q -m gpu tests/cuda/test_on_gpu.py || failed="$failed tests"

step 'compute-sanitizer'
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    timeout 40 compute-sanitizer --tool "$tool" --error-exitcode 1 --log-file "build/cuda_$tool.log" \
      "$bin/python" -m tests.cuda.short_run || { failed="$failed $tool"; tail -n 20 "build/cuda_$tool.log"; }
  done
else
  echo 'not here: neither memcheck nor racecheck has run'
fi

step 'Speed'
timeout 100 "$bin/python" benchmarks/gpu.py || failed="$failed speed"
if [ -n "$failed" ]; then
  echo "FAILED:$failed"
  exit 1
fi
echo 'All passed.'
