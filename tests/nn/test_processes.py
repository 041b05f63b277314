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
from tests.nn.cases import states_of

KINDS = ["RNN", "GRU", "LSTM"]


def bits(layer: torch.nn.RNNBase, input: torch.Tensor) -> list[float]:
    output, final = layer(input)
    loss = output.sum() + sum(x.sum() for x in states_of(final))
    gradients = torch.autograd.grad(loss, list(layer.parameters()))
    return [x.double().sum().item() for x in (output, *gradients)]


def send_bits(layers: list[torch.nn.RNNBase], input: torch.Tensor, connection: Any) -> None:
    torch.set_num_threads(2)
    connection.send([bits(layer, input) for layer in layers])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_after_use_runs_on() -> None:
    """Only the engine's threads are asked to survive: torch's OpenMP does not outlive a fork."""
    script = """
        import os, sys, torch, elman.nn
        torch.set_num_threads(2)
        layers, input = [kind(64, 128) for kind in (elman.nn.RNN, elman.nn.GRU, elman.nn.LSTM)], torch.randn(9, 64, 64)

        def run():
            with torch.no_grad():
                return [layer(input)[0].numpy().tobytes() for layer in layers]

        before = run()
        child = os.fork()
        if child == 0:
            os._exit(0 if before == run() else 1)
        _, status = os.waitpid(child, 0)
        assert before == run()
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_layers_sent_to_a_spawned_process_give_the_same_bits() -> None:
    layers, input = [getattr(elman.nn, kind)(20, 40) for kind in KINDS], torch.randn(9, 5, 20)
    expected = [bits(layer, input) for layer in layers]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=send_bits, args=(layers, input, there))
    process.start()
    assert here.poll(60)
    assert here.recv() == expected
    process.join(30)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_in_shared_memory_gives_the_same_bits(kind: str) -> None:
    layer, input = getattr(elman.nn, kind)(20, 40), torch.randn(9, 5, 20)
    expected = bits(layer, input)
    assert bits(layer.share_memory(), input) == expected
    assert layer.weight_hh_l0.is_shared()


@pytest.mark.parametrize("kind", KINDS)
def test_data_parallel_on_a_cpu_gives_the_same_bits(kind: str) -> None:
    layer, input = getattr(elman.nn, kind)(20, 40, batch_first=True), torch.randn(9, 5, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output, _ = torch.nn.DataParallel(layer)(input)
    assert torch.equal(output, layer(input)[0])


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch has no torch.distributed")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("kind", "options"), [("RNN", {}), ("GRU", {"find_unused_parameters": True}), ("LSTM", {"static_graph": True})]
)
def test_distributed_data_parallel_trains_to_the_same_bits(kind: str, options: dict[str, bool], tmp_path: Path) -> None:
    def trained(wrap: bool) -> list[torch.Tensor]:
        torch.manual_seed(1)
        layer = getattr(elman.nn, kind)(20, 40, 2, bidirectional=True)
        model = torch.nn.parallel.DistributedDataParallel(layer, **options) if wrap else layer
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            output, final = model(torch.randn(9, 5, 20))
            (output.sum() + sum(x.sum() for x in states_of(final))).backward()
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
