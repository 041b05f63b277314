"""What test_refusals.py runs where memory and threads can be refused: every kind of call, in each its allocations."""

import ctypes
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from itertools import product

import numpy as np

from elman import _engine
from tests.engine.cases import Array, assert_same_bits, backward, case, forward, ragged
from tests.engine.gated import gated_case
from tests.engine.gated import run as run_gated
from tests.engine.test_network import gated_network_of, network_of, run, run_network, states_of, stream_of
from tests.engine.test_output import pool
from tests.threads import run_in_threads

Call = Callable[[int], dict[str, Array]]
REFUSALS = ctypes.CDLL(os.environ["LD_PRELOAD"])
REFUSALS.refuse_allocation.argtypes = (ctypes.c_long, ctypes.c_size_t, ctypes.c_bool)

PADDED = case(40, 96, 12, 60)
PACKED = case(40, 96, 0, 0, batch_sizes=ragged([12] * 50 + [7] * 10))
WIDE = case(40, 512, 3, 1)  # few rows: the units of a step are shared out
STACK = [[case(40, 96, 12, 60, seed=0)], [case(96, 96, 12, 60, seed=1)], [case(96, 96, 12, 60, seed=2)]]
NETWORK = network_of([this for [this] in STACK])
STREAM = stream_of(NETWORK, PADDED)
GATED = gated_case("lstm", 40, 96, 12, 60)
GRU = gated_case("gru", 40, 96, 0, 0, lengths=[12] * 50 + [7] * 10)
GATED_STREAM = stream_of(gated_network_of([GATED]), GATED)
OUTPUTS = {id(this): forward(this)[0] for this in (PADDED, PACKED, WIDE)}


def forward_of(this) -> Call:
    return lambda threads: dict(zip(("output", "h_n"), forward(this, threads), strict=True))


def backward_of(this) -> Call:
    return lambda threads: backward(this, OUTPUTS[id(this)], threads)


def network(threads: int) -> dict[str, Array]:
    _engine.set_num_threads(threads)
    h_0 = np.stack([this.initial_state for [this] in STACK])
    return run(network_of([this for [this] in STACK]), STACK[0][0].input, None, h_0, 96)


def stream(threads: int) -> dict[str, Array]:
    _engine.set_num_threads(threads)
    return {"first": stream_of(NETWORK, PADDED).step(PADDED.input[0])}


def step(threads: int) -> dict[str, Array]:
    _engine.set_num_threads(threads)
    STREAM.write_states(np.zeros((3, 60, 96), np.float32))
    return {"first": STREAM.step(PADDED.input[0])}


def gated_network(threads: int) -> dict[str, Array]:
    _engine.set_num_threads(threads)
    return run_network(gated_network_of([GATED]), GATED, states_of([GATED]), 1)


def gated_step(threads: int) -> dict[str, Array]:
    _engine.set_num_threads(threads)
    GATED_STREAM.write_states(np.zeros((2, 1, 60, 96), np.float32))
    return {"first": GATED_STREAM.step(GATED.input[0])}


def pooling(_: int) -> dict[str, Array]:
    return {"pooled": pool(OUTPUTS[id(PACKED)], PACKED.batch_sizes.tolist())}


def softmax(_: int) -> dict[str, Array]:
    probabilities = np.empty((60, 40), np.float32)
    _engine.softmax(np.ascontiguousarray(PADDED.input[0]), probabilities)
    return {"probabilities": probabilities}


NEED_NO_MEMORY = (step, softmax)
CALLS = {
    "forward": forward_of(PADDED),
    "packed forward": forward_of(PACKED),
    "wide forward": forward_of(WIDE),
    "backward": backward_of(PADDED),
    "packed backward": backward_of(PACKED),
    "wide backward": backward_of(WIDE),
    "LSTM's forward and backward": lambda threads: run_gated(GATED, threads),
    "GRU's packed forward and backward": lambda threads: run_gated(GRU, threads),
    "network": network,
    "stream": stream,
    "step": step,
    "gated network": gated_network,
    "gated step": gated_step,
    "pooling": pooling,
    "softmax": softmax,
}


def refused_at(n: int, call: Call, threads: int, lasting: bool) -> tuple[int, bool]:
    """How many allocations a call made of which the ``n``-th was refused, and whether it raised MemoryError."""
    raised = False
    # what nanobind allocates for a stream's share of its network ends the process: its conversions may not throw
    REFUSALS.refuse_allocation(n, 64 if call is stream else 0, lasting)
    try:
        call(threads)
    except MemoryError:
        raised = True
    return REFUSALS.refuse_allocation(0, 0, False), raised


def in_use() -> int:
    _engine.release_memory()
    return REFUSALS.allocations_in_use()


def refuse_each_allocation(call: Call, threads: int, lasting: bool) -> int:
    """Refuse one allocation after another, until a call makes fewer; return how many calls raised MemoryError."""
    expected, raised = call(threads), 0
    for n in range(1, 1000):
        _engine.release_memory()
        made, failed = refused_at(n, call, threads, lasting)
        raised += failed
        assert_same_bits(call(threads), expected, f"after allocation {n} had failed")
        if not failed and made < n:
            return raised
    raise AssertionError("no end of allocations")


def in_child(work: Callable[[], object]) -> None:
    """A forked child has no pool yet."""
    child = os.fork()
    if not child:
        work()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def memory() -> None:
    """Refuse each allocation of a call to a pool that runs, then of the first call of a thread in a new process."""
    for threads in (1, 2):
        for call in CALLS.values():
            call(threads)
        before = in_use()
        for name, call in CALLS.items():
            for lasting in (False, True):
                raised = refuse_each_allocation(call, threads, lasting)
                assert (raised == 0) == (call in NEED_NO_MEMORY), name
            # a worker keeps a record for life, from when it first needs working memory
            assert in_use() - before in range(threads), f"{name} on {threads} leaks"

    call, expected = CALLS["backward"], CALLS["backward"](1)

    def first_call(n: int, lasting: bool) -> None:
        run_in_threads(1, lambda _: refused_at(n, call, 2, lasting))
        run_in_threads(1, lambda _: assert_same_bits(call(2), expected))

    for n, lasting in product(range(1, 13), (False, True)):
        in_child(lambda n=n, lasting=lasting: first_call(n, lasting))


def refused_threads() -> None:
    """The system gives no thread, neither at the first call nor for more workers than there are."""
    call, before = CALLS["backward"], len(os.listdir("/proc/self/task"))
    expected = call(1)
    REFUSALS.refuse_threads(True)
    assert_same_bits(call(2), expected)
    REFUSALS.refuse_threads(False)
    assert_same_bits(call(2), expected)
    REFUSALS.refuse_threads(True)
    assert_same_bits(call(8), expected)
    REFUSALS.refuse_threads(False)
    assert len(os.listdir("/proc/self/task")) == before + 1


class Thread(threading.Thread):
    """A thread that makes calls when it is told to, and lives on."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.calls: queue.Queue[Callable[[], object]] = queue.Queue()
        self.start()

    def run(self) -> None:
        while True:
            self.calls.get()()
            self.calls.task_done()

    def call(self, call: Callable[[], object]) -> None:
        self.calls.put(call)
        self.calls.join()


def release() -> None:
    """Memory is given back by threads that idle, workers among them, and by one that is inside a call."""
    idle, busy = Thread(), Thread()
    long, expected = case(64, 128, 1500, 64), CALLS["backward"](1)
    idle.call(lambda: CALLS["backward"](2))
    busy.call(lambda: CALLS["forward"](1))
    before = in_use()

    CALLS["backward"](2)
    idle.call(lambda: CALLS["backward"](2))
    assert REFUSALS.allocations_in_use() > before + 1
    assert in_use() - before in range(2)  # the worker's record

    before = in_use()
    busy.calls.put(lambda: forward(long))
    while REFUSALS.allocations_in_use() == before:
        time.sleep(0.001)
    _engine.release_memory()
    busy.calls.join()
    assert REFUSALS.allocations_in_use() == before
    assert_same_bits(CALLS["backward"](2), expected)


def bound() -> None:
    """All threads together keep 256 MiB, none a block of more than 64 MiB."""
    most, larger = ((this, forward(this)[0]) for this in (case(1, 1, 1, 350_000), case(1, 1, 1, 500_000)))
    before, kept = REFUSALS.bytes_in_use(), []
    threads = [Thread() for _ in range(6)]
    for thread in threads:
        thread.call(lambda: backward(*most))
        kept.append((REFUSALS.bytes_in_use() - before) >> 20)
    assert kept[0] in range(50, 64)
    assert kept[-1] in range(200, 257)
    _engine.release_memory()
    threads[0].call(lambda: backward(*larger))
    assert REFUSALS.bytes_in_use() - before < 1 << 20


if __name__ == "__main__":
    {"memory": memory, "threads": refused_threads, "release": release, "bound": bound}[sys.argv[1]]()
