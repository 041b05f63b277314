"""Calls that give up the GIL, while another thread takes their tensors' memory away."""

import os
import subprocess
import sys
import textwrap
from importlib import import_module

import pytest
import torch

import elman.nn
from elman.cells import Elman

# Blocks of memory are mapped one by one and unmapped when they are freed: reading one too late ends the process.
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}

SWAPPING = """
import faulthandler, threading, time
faulthandler.dump_traceback_later(90, exit=True)  # one that hangs says where
import torch
from torch.nn.utils.rnn import PackedSequence
import elman.nn

torch.set_num_threads(2)
rnn, gru, lstm = (kind(200, 150) for kind in (elman.nn.RNN, elman.nn.GRU, elman.nn.LSTM))
linear = elman.nn.Linear(200, 150)
x = torch.randn(20, 120, 200, requires_grad=True)
h_0, c_0 = torch.randn(2, 1, 120, 150)
gradient, batch_sizes = torch.randn(20, 120, 150), torch.full((20,), 120)
packed = PackedSequence(x.detach().reshape(-1, 200), batch_sizes)

def while_another_thread_does(change, run):
    ended = threading.Event()
    def keep_on():
        while not ended.is_set():
            change()
            time.sleep(1e-4)
    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        for _ in range(6):
            run()
    finally:
        ended.set()
        thread.join()

def through(module, *state):
    output = module(x, *state)
    torch.autograd.grad(output if module is linear else output[0], [x], gradient)

for module, tensor, *state in (
    (rnn, x, h_0), (gru, h_0, h_0), (lstm, lstm.weight_ih_l0, (h_0, c_0)), (gru, gru.weight_hh_l0, h_0),
    (rnn, gradient, h_0), (lstm, c_0, (h_0, c_0)), (linear, x), (linear, linear.weight)
):
    swap = lambda: setattr(tensor, "data", torch.zeros(tensor.shape))
    while_another_thread_does(swap, lambda: through(module, *state))

def write():
    batch_sizes.fill_(10**12)
    batch_sizes.fill_(120)

def run_packed():
    try:
        rnn(packed)
    except (RuntimeError, ValueError):
        pass  # seen while it was wrong

while_another_thread_does(write, run_packed)
print("survived")
"""


def test_tensors_may_be_given_other_data_while_another_thread_runs_over_them() -> None:
    command = [sys.executable, "-c", SWAPPING]
    finished = subprocess.run(
        command, env=os.environ | MAPPED, capture_output=True, text=True, check=False, timeout=100
    )
    assert (finished.returncode, finished.stdout) == (0, "survived\n"), finished.stderr


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM", "LSTMCell", "Linear"])
def test_data_of_another_dtype_given_in_the_midst_of_a_call_are_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results are made like a tensor that meanwhile may have got numbers of half the size, and got back its own."""
    module, x = getattr(elman.nn, kind)(3, 4, dtype=torch.float64), torch.rand(2, 3, dtype=torch.float64)
    output = module(x)
    output = output[0] if isinstance(output, tuple) else output
    new_empty = torch.Tensor.new_empty
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda self, *shape: new_empty(self.float(), *shape))
    with torch.no_grad(), pytest.raises(ValueError, match=r"^expected a plain tensor of the input's dtype$"):
        module(x)
    with pytest.raises(ValueError, match=r"^expected a plain tensor of the input's dtype$"):
        output.sum().backward()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the process's threads")
def test_work_for_all_of_pytorchs_threads_starts_no_others() -> None:
    """Beside PyTorch's, which stay awake after each of its operations, others would share the processors with them."""
    script = """
        import os, torch, elman.nn
        torch.set_num_threads(4)
        torch.ones(10**6).add_(1)  # wakes them all
        of_pytorch = set(os.listdir("/proc/self/task"))
        for layer in (elman.nn.RNN(64, 96), elman.nn.GRU(64, 96), elman.nn.LSTM(64, 96)):
            layer(torch.randn(20, 64, 64))[0].sum().backward()
            assert set(os.listdir("/proc/self/task")) == of_pytorch
        torch.set_num_threads(16)
        torch.ones(10**6).add_(1)
        of_pytorch = set(os.listdir("/proc/self/task"))
        with torch.no_grad():
            elman.nn.RNN(64, 96)(torch.randn(20, 16, 64))  # of use to few threads: only so many are woken
        assert 0 < len(set(os.listdir("/proc/self/task")) - of_pytorch) < 8
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)


@pytest.mark.parametrize(("wanted", "expected"), [(1, 1), (3, 3), (64, 4)])
def test_the_layers_use_no_more_threads_than_there_are_processors(wanted, expected, monkeypatch):
    monkeypatch.setattr("elman._gate._processors", 4)
    monkeypatch.setattr("torch.get_num_threads", lambda: wanted)
    given = []

    def note(place, name, at):
        call = getattr(import_module(place), name)
        monkeypatch.setattr(f"{place}.{name}", lambda *passed: (given.append(passed[at]), call(*passed))[1])

    for name in ("_forward_if_admitted", "_forward_kept", "_backward"):
        note("elman.ops._calls", name, 1)
    for name in ("_forward", "_backward"):
        note("elman.ops._linear", name, 0)
    for layer in (elman.nn.RNN(3, 5), elman.nn.Linear(3, 5), elman.nn.Recurrent(Elman(), 3, 5)):
        output = layer(torch.randn(7, 3))
        (output if isinstance(output, torch.Tensor) else output[0]).sum().backward()
    assert given == [expected] * 8
