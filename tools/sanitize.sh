#!/bin/sh
# Runs the tests of the engine, and those of networks and streams over it, under AddressSanitizer with
# UndefinedBehaviorSanitizer, then under ThreadSanitizer, at every instruction set of this machine. Under the first, layers
# over PyTorch's tensors too; ThreadSanitizer does not see how PyTorch's own threads wait for one another. VENV is a
# virtual environment with the dev extra; arguments go to pytest:
#
#     VENV=.venv sh tools/sanitize.sh -k bits
#
# Each sanitizer has a build of its own under build/. The tests run in the interpreter that the environment was
# made from, with the environment's packages behind that build: Python itself stays as it is, and an editable
# install in the environment is not seen.
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
CXX=${CXX:-g++}
export CXX
python=$("$VENV/bin/python" -c 'import sys; print(sys._base_executable)')
packages=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

runtime() {
  file=$("$CXX" -print-file-name="lib$1.so")
  case $file in
    /*) realpath "$file" ;;
    *) echo "sanitize: $CXX has no lib$1.so" >&2; exit 2 ;;
  esac
}

layers="tests/nn/test_sizes.py tests/nn/test_gradients.py tests/nn/test_writes.py tests/nn/test_errors.py
  tests/nn/test_linear.py tests/nn/test_saved_tensors.py tests/nn/test_places.py"

forks="tests/engine/test_processes.py::test_a_fork_while_other_threads_are_inside_a_job_works_in_the_child
  tests/runtime/test_stream.py::test_a_fork_in_the_middle_goes_on_from_the_state
  tests/runtime/test_stream.py::test_workers_forked_before_and_after_use_predict_alike"

# sanitize NAME SANITIZERS PRELOAD [pytest's arguments]
sanitize() {
  name=$1 sanitizers=$2 preload=$3
  shift 3
  folder=$PWD/build/sanitize-$name
  echo "== $sanitizers"
  CXXFLAGS="${CXXFLAGS:-} -fno-sanitize-recover=all" "$VENV/bin/python" -m pip install --quiet --no-deps --upgrade \
    --disable-pip-version-check --target "$folder/site" . \
    --config-settings "build-dir=$folder/build" \
    --config-settings cmake.build-type=RelWithDebInfo \
    --config-settings "cmake.define.ELMAN_SANITIZE=$sanitizers"

  # ThreadSanitizer of g++ 12 has no room for the address space that newer kernels randomise. Three files are left out
  # for they run the compiler, not the engine, and one whose library takes the place of the sanitizers' allocator.
  # One test counts how often threads wake, which they do of themselves there; in others a process forks that has
  # threads, whom ThreadSanitizer takes for the child's. Nor does it see how the threads of NumPy's OpenBLAS wait for
  # one another: there are none.
  still=$(setarch -R true 2>/dev/null && echo "setarch -R" || true)
  env -u ELMAN_ISA OPENBLAS_NUM_THREADS=1 \
    LD_PRELOAD="$preload" \
    PYTHONPATH="$folder/site:$packages" PYTHONMALLOC=malloc PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 \
    ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1:allocator_may_return_null=1 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    TSAN_OPTIONS="allocator_may_return_null=1:halt_on_error=1:die_after_fork=0:suppressions=$PWD/tools/thread_sanitizer.txt" \
    $still "$python" -m pytest tests/engine tests/runtime/test_rnn.py tests/runtime/test_stream.py tests/runtime/test_pieces.py --ignore tests/engine/test_levels.py \
      --ignore tests/engine/test_cpp_example.py --ignore tests/engine/test_cpp_cells.py --ignore tests/engine/test_refusals.py \
      --deselect tests/engine/test_processes.py::test_a_call_that_needs_one_more_thread_wakes_no_other \
      -p no:cacheprovider --timeout 600 "$@"
}

sanitize address address,undefined "$(runtime asan) $(runtime ubsan) $(runtime stdc++)" $layers "$@"
sanitize thread thread "$(runtime tsan) $(runtime stdc++)" $(printf -- '--deselect %s ' $forks) "$@"
