#!/bin/sh
# Runs the suite of the layer with each PyTorch of TORCH, and the runtime's, without PyTorch, on each Python of PYTHONS:
#
#     TORCH='2.4.1 2.15.0' PYTHONS='python3.10 python3.14' sh tools/versions.sh -k bits
#
# PYTHON is what the PyTorches run on. One environment after another is made under .venv-versions and removed: on Linux
# PyPI's PyTorch comes with CUDA, some 7 GB. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
tools='pytest>=8,<10 pytest-timeout>=2.3,<3 hypothesis>=6.100,<7'
folder=$PWD/.venv-versions
results=
failed=0

# check NAME INTERPRETER 'TESTS' PACKAGES [pytest's arguments]
check() {
  name=$1 interpreter=$2 tests=$3 packages=$4
  shift 4
  echo "== $name"
  rm -rf "$folder"
  # shellcheck disable=SC2086 # several words each
  if "$interpreter" -m venv "$folder" &&
    "$folder/bin/python" -m pip install --quiet $packages $tools &&
    "$folder/bin/python" -m pytest -q -p no:cacheprovider "$@" $tests >"$folder/log" 2>&1; then
    result=$(tail -n 1 "$folder/log")
  else
    failed=1
    result=failed
    [ ! -e "$folder/log" ] || { cat "$folder/log"; result=$(tail -n 1 "$folder/log"); }
  fi
  rm -rf "$folder"
  results="$results$name: $result
"
}

for python in ${PYTHONS:-}; do
  check "$("$python" --version)" "$python" 'tests/runtime' . "$@"
done
for torch in ${TORCH:-}; do
  check "torch $torch" "$PYTHON" tests/nn ".[torch] torch==$torch expecttest>=0.2,<1" "$@"
done
printf '\n%s' "$results"
exit $failed
