"""Forked, spawned and shared: the layers in more than one process."""

import subprocess
import sys
import textwrap
import warnings
from typing import Any

import pytest
import torch
import torch.multiprocessing
from torch.utils._pytree import tree_leaves

import elman.nn
from elman.nn._pytorch import RECURRENT


def bits(layer: torch.nn.Module, input: torch.Tensor) -> list[float]:
    results = tree_leaves(layer(input))
    gradients = torch.autograd.grad(sum(x.sum() for x in results), list(layer.parameters()))
    return [x.double().sum().item() for x in (*results, *gradients)]


def learn_and_send_bits(layers: list[torch.nn.Module], inputs: list[torch.Tensor], connection: Any) -> None:
    torch.set_num_threads(2)
    connection.send([*map(bits, layers, inputs)])
    with torch.no_grad():
        for layer in layers:
            for parameter in layer.parameters():
                parameter.mul_(0.5)
    connection.send("learnt")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_after_use_runs_on() -> None:
    """Only the engine's threads are asked to survive: torch's OpenMP does not outlive a fork."""
    script = """
        import os, sys, torch, elman.nn
        torch.set_num_threads(2)
        layer, input = elman.nn.RNN(64, 128), torch.randn(20, 64, 64)
        with torch.no_grad():
            before = layer(input)[0]
        child = os.fork()
        if child == 0:
            with torch.no_grad():
                os._exit(0 if before.numpy().tobytes() == layer(input)[0].numpy().tobytes() else 1)
        _, status = os.waitpid(child, 0)
        with torch.no_grad():
            assert before.numpy().tobytes() == layer(input)[0].numpy().tobytes()
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_layers_shared_with_a_spawned_process_give_the_same_bits_there_and_learn_for_both() -> None:
    layers = [getattr(elman.nn, kind)(20, 40).share_memory() for kind in RECURRENT]
    inputs = [torch.randn(*(9,) * isinstance(layer, torch.nn.RNNBase), 5, 20) for layer in layers]
    expected = [*map(bits, layers, inputs)]
    before = [layer.state_dict()[name].clone() for layer in layers for name in layer.state_dict()]
    context = torch.multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=learn_and_send_bits, args=(layers, inputs, there))
    process.start()
    assert here.poll(60)
    assert here.recv() == expected
    assert here.poll(60)
    assert here.recv() == "learnt"
    process.join(30)
    after = [layer.state_dict()[name] for layer in layers for name in layer.state_dict()]
    assert all(torch.equal(x, 0.5 * y) for x, y in zip(after, before, strict=True))
    assert [*map(bits, layers, inputs)] != expected


def test_data_parallel_on_a_cpu_gives_the_same_bits() -> None:
    layer, input = elman.nn.RNN(20, 40, batch_first=True), torch.randn(9, 5, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output, _ = torch.nn.DataParallel(layer)(input)
    assert torch.equal(output, layer(input)[0])
