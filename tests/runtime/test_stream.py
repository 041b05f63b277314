"""Step by step, to the bits of the whole sequence."""

import copy
import gc
import multiprocessing
import os
import pickle
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman.runtime._reset_first import ResetFirstGRU
from tests.runtime.networks import CELLS, each, network, normal, parameters
from tests.threads import run_in_threads


@settings(max_examples=60)
@given(
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 70), st.integers(1, 3)),
    cell=st.sampled_from(CELLS),
    dtype=st.sampled_from(["float32", "float64"]),
    batch=st.integers(1, 9),
)
def test_steps_are_the_whole_sequence(sizes, cell, dtype, batch):
    rnn = network(*sizes, cell=cell, dtype=dtype)
    x = normal(6, batch, sizes[0], dtype=dtype)
    output, h_n = rnn(x)
    stream = rnn.stream(batch)
    assert (np.stack([stream.step(x_t) for x_t in x]) == output).all()
    for ours, theirs in zip(each(stream.state), each(h_n), strict=True):
        assert (ours == theirs).all()


def test_a_batch_of_one_needs_no_batch():
    rnn, x = network(), normal(5, 4)
    stream = rnn.stream()
    steps = [stream.step(x_t) for x_t in x]
    assert [step.shape for step in steps] == [(6,)] * 5
    assert (np.stack(steps) == rnn(x)[0]).all()
    assert stream.step(x[:1]).shape == (1, 6)


def test_out_takes_the_result_whatever_its_layout():
    rnn, x = network(4, 4), normal(7, 3, 4)
    expected, stream = rnn(x)[0], rnn.stream(3)
    outs = [
        np.empty((3, 4), "f"),
        np.empty((4, 3), "f").T,
        np.empty((3, 8), "f")[:, ::2],
        np.frombuffer(bytearray(49), "f", offset=1).reshape(3, 4),
    ]
    for x_t, result, out in zip(x, expected, outs, strict=False):
        assert stream.step(x_t, out=out) is out
        assert (out == result).all()
    over = x[4].copy()
    assert (stream.step(over, over) == expected[4]).all()
    views = np.zeros((2, 3, 4), "f")
    views[0] = x[5]
    assert (stream.step(views[0], views.reshape(-1)[4:16].reshape(3, 4)) == expected[5]).all()


LAYOUTS = {
    "list": lambda x: x.tolist(),
    "float64": lambda x: x.astype(np.float64),
    "byte order": lambda x: x.astype(">f4"),
    "strided": lambda x: np.repeat(x, 2, 1)[:, ::2],
    "reversed": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "transposed": np.asfortranarray,
    "integer": lambda x: x.astype(np.int8),
    "read-only": lambda x: np.lib.stride_tricks.as_strided(x.copy(), writeable=False),
    "buffer": lambda x: memoryview(x),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_converted_never_misread(layout):
    rnn, x = network(), np.round(normal(5, 3, 4) * 5)
    stream, expected = rnn.stream(3), rnn(x)[0]
    assert (np.stack([stream.step(LAYOUTS[layout](x_t)) for x_t in x]) == expected).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 5), "f"),), r"x_t: expected the shape \(3, 4\), \(batch, input_size\), got \(3, 5\)"),
        ((np.zeros((2, 4), "f"),), r"x_t: expected the shape \(3, 4\), .* got \(2, 4\)"),
        ((np.zeros(4, "f"),), r"x_t: expected the shape \(3, 4\), .* got \(4,\)"),
        ((np.zeros((), "f"),), r"x_t: expected the shape \(3, 4\), .* got \(\)"),
        ((np.zeros((1, 3, 4), "f"),), r"x_t: expected the shape \(3, 4\), .* got \(1, 3, 4\)"),
        ((np.zeros((3, 4), complex),), "x_t: expected real numbers, got ndarray of dtype complex128"),
        ((np.ma.masked_array(np.zeros((3, 4), "f")),), "x_t: expected an array without a mask"),
        ((np.zeros((3, 4), "f"), np.ma.masked_array(np.zeros((3, 6), "f"))), "out: expected an array of NumPy"),
        (("word",), "x_t: expected real numbers, got str"),
        ((None,), "x_t: expected real numbers, got NoneType"),
        ((np.zeros((3, 4)), np.zeros((3, 6))), "out: expected dtype float32, got float64"),
        ((np.zeros((3, 4), "f"), np.zeros((3, 5), "f")), r"out: expected the shape \(3, 6\), got \(3, 5\)"),
        ((np.zeros((3, 4), "f"), np.zeros(18, "f")), r"out: expected the shape \(3, 6\), got \(18,\)"),
        ((np.zeros((3, 4), "f"), np.broadcast_to(np.float32(0), (3, 6))), "out: expected an array that can be written"),
        ((np.zeros((3, 4), "f"), [0.0] * 6), "out: expected an array of NumPy, got list"),
        ((np.zeros((3, 4), "f"), bytearray(72)), "out: expected an array of NumPy, got bytearray"),
    ],
)
def test_what_is_refused_leaves_the_state(arguments, message):
    stream = network().stream(3)
    stream.step(normal(3, 4))
    before = stream.state
    with pytest.raises(InputError, match=message):
        stream.step(*arguments)
    assert (stream.state == before).all()


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_state_is_a_copy_and_can_be_set(cell):
    rnn, x = network(4, 6, 2, cell=cell), normal(9, 2, 4)
    stream, other = rnn.stream(2), rnn.stream(2)
    for x_t in x[:5]:
        stream.step(x_t)
    state = stream.state
    assert [each_state.shape for each_state in each(state)] == [(2, 2, 6)] * len(rnn.family.states)
    other.state = tuple(each_state.astype(">f8") for each_state in state) if cell == "lstm" else state.astype(">f8")
    for each_state in each(state):
        each_state[...] = 0
    for x_t in x[5:]:
        assert (stream.step(x_t) == other.step(x_t)).all()
    before = each(stream.state)
    refused = [(np.zeros((2, 6)), r"state: expected the shape \(2, 2, 6\), .*, got \(2, 6\)")]
    if cell == "lstm":
        refused = [
            (np.zeros((2, 2, 6)), r"state: expected the pair \(h, c\), got ndarray"),
            ((np.zeros((2, 2, 6)), np.zeros((2, 6))), r"state: c: expected the shape \(2, 2, 6\), .*, got \(2, 6\)"),
        ]
    for value, message in refused:
        with pytest.raises(InputError, match=message):
            stream.state = value
    assert all((a == b).all() for a, b in zip(each(stream.state), before, strict=True))


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_reset_of_all_and_of_some(cell):
    rnn, x = network(cell=cell), normal(6, 4, 4)
    stream = rnn.stream(4)
    fresh = rnn(x[3:])[0]
    for x_t in x[:3]:
        stream.step(x_t)
    on = stream.copy()
    stream.reset(rows=[3, 1])
    for x_t, expected in zip(x[3:], fresh, strict=True):
        went_on, result = on.step(x_t), stream.step(x_t)
        assert (result[[1, 3]] == expected[[1, 3]]).all()
        assert (result[[0, 2]] == went_on[[0, 2]]).all()
    stream.reset(rows=[])
    stream.reset(rows=np.array([False, True, False, False]))
    for state in each(stream.state):
        assert (state[:, 1] == 0).all()
        assert (state[:, 0] != 0).any()
    stream.reset()
    assert all((state == 0).all() for state in each(stream.state))
    for rows in ([4], [-5], ["a"], [1.5], 3):
        with pytest.raises(InputError, match="rows: expected places from 0 to 3 in the batch, got"):
            stream.reset(rows=rows)


COPIES = [copy.copy, copy.deepcopy, elman.runtime.Stream.copy, lambda stream: pickle.loads(pickle.dumps(stream))]


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("how", COPIES)
def test_copies_go_their_own_way(how, cell):
    rnn, x = network(cell=cell), normal(8, 4)
    stream = rnn.stream()
    for x_t in x[:4]:
        stream.step(x_t)
    twin = how(stream)
    expected = rnn(x)[0]
    for x_t, result in zip(x[4:], expected[4:], strict=True):
        assert (twin.step(x_t) == result).all()
    assert (stream.step(x[4]) == expected[4]).all()
    assert repr(twin) == f"Stream({rnn.family.title}(4, 6, float32), batch=1)"


def test_networks_that_cannot_stream_say_why():
    with pytest.raises(InputError, match="got a bidirectional one, which begins at the last step"):
        network(bidirectional=True).stream()
    for batch in (0, -1, 1.5, True, "3", None):
        with pytest.raises(InputError, match="batch: expected an integer from 1 to 2147483647, got"):
            network().stream(batch)


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_a_step_allocates_nothing_and_a_stream_is_freed(cell):
    rnn, x, out = network(64, 64, 2, cell=cell), normal(1, 64), np.empty((1, 64), "f")
    stream = rnn.stream()
    stream.step(x, out)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(100):
        stream.step(x, out)
    gained = [entry for entry in tracemalloc.take_snapshot().compare_to(before, "lineno") if "numpy" in str(entry)]
    tracemalloc.stop()
    assert gained == []
    tracked = len(gc.get_objects())
    for _ in range(50):
        rnn.stream().step(x, out)
    assert len(gc.get_objects()) < tracked + 50


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("sizes", [(4, 6), (64, 300)])  # the second gives up the GIL
def test_sixteen_threads_each_with_a_stream(sizes, cell):
    rnn, x = network(*sizes, cell=cell), normal(60, sizes[0])
    expected = rnn(x)[0]

    def work(_):
        stream = rnn.stream()
        assert all((stream.step(x_t) == result).all() for x_t, result in zip(x, expected, strict=True))

    run_in_threads(16, work)


def test_a_network_that_holds_a_stream_of_its_own_is_collected():
    class Live(elman.runtime.RNN):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.live = self.stream()

    live = Live(network().parameters)
    live.live.step(normal(4))
    reference = weakref.ref(live)
    del live
    gc.collect()
    assert reference() is None


def test_a_stream_of_ones_own_kind_is_asked_and_copied_as_such():
    class Doubling(elman.runtime.Stream):
        def step(self, x_t, out=None):
            return 2 * super().step(x_t, out)

    rnn, x = network(), normal(3, 4)
    stream = Doubling(rnn)
    assert (np.stack([stream.step(x_t) for x_t in x]) == 2 * rnn(x)[0]).all()
    assert all(type(twin) is Doubling for twin in (stream.copy(), copy.copy(stream), copy.deepcopy(stream)))


AT_THE_END = """
import threading, time
import numpy as np
import elman

rnn = elman.runtime.RNN({"weight_ih_l0": np.ones((300, 64), "f"), "weight_hh_l0": np.ones((300, 300), "f")})
x = np.zeros((20, 4, 64), "f")

def work():
    while True:
        rnn(x)

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
print("well")
"""


def test_a_process_may_end_while_daemon_threads_are_in_the_engine():
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "well\n", "")


@pytest.mark.parametrize(("kind", "cell"), [(elman.runtime.RNN, "tanh"), (ResetFirstGRU, "gru")])
def test_two_threads_on_one_stream_are_told(kind, cell):
    rnn = kind(parameters(64, 600, cell=cell))
    stream, x, said = rnn.stream(20), normal(20, 64), set()

    def work(_):
        for _ in range(100):
            if said:
                return
            try:
                stream.step(x)
            except RuntimeError as error:
                said.add(str(error))

    run_in_threads(2, work)
    assert said == {"stream: expected one thread at a time, another one is using it; make each its own"}


def _go_on(stream, x, results):
    results.put([stream.step(x_t) for x_t in x])


def test_a_fork_in_the_middle_goes_on_from_the_state():
    rnn, x = network(8, 16, 2), normal(20, 8)
    stream = rnn.stream()
    for x_t in x[:10]:
        stream.step(x_t)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_go_on, args=(stream, x[10:], results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    expected = rnn(x)[0][10:]
    for _ in workers:
        assert (np.stack(results.get(timeout=60)) == expected).all()
    for worker in workers:
        worker.join(60)
    assert (np.stack([stream.step(x_t) for x_t in x[10:]]) == expected).all()


def test_workers_forked_before_and_after_use_predict_alike():
    # as a server does that loads its model and then forks: parent's pool of threads is not the children's
    rnn, x = network(40, 64), normal(30, 70, 40)
    before = elman.get_num_threads()
    elman.set_num_threads(2)
    expected = rnn(x)[0]
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(0 if (rnn(x)[0] == expected).all() else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    elman.set_num_threads(before)
