"""Forked, spawned and shared: the layers in more than one process."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import elman.nn


def bits(layer: torch.nn.RNN, input: torch.Tensor) -> list[float]:
    output, h_n = layer(input)
    gradients = torch.autograd.grad(output.sum() + h_n.sum(), list(layer.parameters()))
    return [x.double().sum().item() for x in (output, *gradients)]


def send_bits(layer: torch.nn.RNN, input: torch.Tensor, connection: Any) -> None:
    torch.set_num_threads(2)
    connection.send(bits(layer, input))


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


def test_a_layer_sent_to_a_spawned_process_gives_the_same_bits() -> None:
    layer, input = elman.nn.RNN(20, 40), torch.randn(9, 5, 20)
    expected = bits(layer, input)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=send_bits, args=(layer, input, there))
    process.start()
    assert here.poll(60)
    assert here.recv() == expected
    process.join(30)


def test_a_layer_in_shared_memory_gives_the_same_bits() -> None:
    layer, input = elman.nn.RNN(20, 40), torch.randn(9, 5, 20)
    expected = bits(layer, input)
    assert bits(layer.share_memory(), input) == expected
    assert layer.weight_hh_l0.is_shared()


def test_data_parallel_on_a_cpu_gives_the_same_bits() -> None:
    layer, input = elman.nn.RNN(20, 40, batch_first=True), torch.randn(9, 5, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output, _ = torch.nn.DataParallel(layer)(input)
    assert torch.equal(output, layer(input)[0])


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch has no torch.distributed")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("options", [{}, {"find_unused_parameters": True}, {"static_graph": True}], ids=str)
def test_distributed_data_parallel_trains_to_the_same_bits(options: dict[str, bool], tmp_path: Path) -> None:
    def trained(wrap: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        layer = elman.nn.RNN(20, 40, 2, bidirectional=True)
        model = torch.nn.parallel.DistributedDataParallel(layer, **options) if wrap else layer
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            output, h_n = model(torch.randn(9, 5, 20))
            (output.sum() + h_n.sum()).backward()
            optimizer.step()
        return [p.detach() for p in layer.parameters()]

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        distributed = trained(True)
    finally:
        torch.distributed.destroy_process_group()
    for one, other in zip(distributed, trained(False), strict=True):
        assert torch.equal(one, other)
