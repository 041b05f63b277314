"""DDP and FSDP2 over two processes, this one and one more: they learn what one process learns of both their batches."""

import multiprocessing
import os
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

import elman.nn
from elman.cells import RateLeaky
from elman.ops import _calls

distributed: Any = torch.distributed
if not distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)
fsdp: Any = pytest.importorskip("torch.distributed.fsdp")

# PyTorch's FSDP2 itself, on a CPU
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning:torch.distributed")

KINDS = ["RNN", "GRU", "LSTM", "Leaky"]  # the last a cell of one's own, whose leaks are buffers
WRAPPED = ["ddp", "ddp with static_graph"] + ["fsdp"] * hasattr(fsdp, "fully_shard")  # since PyTorch 2.6
STEPS = 3


class Tagger(torch.nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        options: dict[str, Any] = {"num_layers": 2, "batch_first": True, "bidirectional": True}
        make = partial(elman.nn.Recurrent, RateLeaky([0.2] * 16)) if kind == "Leaky" else getattr(elman.nn, kind)
        self.rnn = make(6, 16, **options)
        self.cell = getattr(elman.nn, f"{'GRU' if kind == 'Leaky' else kind}Cell")(32, 16)
        self.scores = torch.nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(self.rnn(x)[0][:, -1])
        return self.scores(state[0] if isinstance(state, tuple) else state)  # type: ignore[no-any-return]


def wrapped(model: Tagger, how: str) -> Any:
    if how.startswith("ddp"):
        return torch.nn.parallel.DistributedDataParallel(model, static_graph="static" in how)
    # parameters are sharded, and their storage is emptied and filled again between forward and backward
    mesh = distributed.device_mesh.init_device_mesh("cpu", (2,))
    for part in (model.rnn, model.cell, model):
        fsdp.fully_shard(part, mesh=mesh, reshard_after_forward=True)
    return model


def batch(rank: int, step: int) -> Tensor:
    return torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(10 * step + rank))


def learn(model: Any, ranks: list[int]) -> list[list[float]]:
    """The losses of each step, of the batches of these ranks."""
    optimizer, found = torch.optim.SGD(model.parameters(), lr=0.1), []
    for step in range(STEPS):
        optimizer.zero_grad()
        losses = [model(batch(rank, step)).square().mean() for rank in ranks]
        (sum(losses) / len(losses)).backward()
        optimizer.step()
        found.append([loss.item() for loss in losses])
    return found


def learn_as_one_of_two(rank: int, store: str, send: Any) -> None:
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    limit = timedelta(seconds=100)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=limit)
    try:
        send({(kind, how): learn(wrapped(Tagger(kind), how), [rank]) for kind, how in product(KINDS, WRAPPED)})
    finally:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def losses(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The losses of both processes by kind and wrapper, and how often the engine went backward in this one."""
    store = str(tmp_path_factory.mktemp("group") / "store")
    here, there = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=learn_as_one_of_two, args=(1, store, there.send))
    other.start()
    found, calls, backward = [], [], _calls._backward
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_calls, "_backward", lambda *given: (calls.append(1), backward(*given))[1])
        learn_as_one_of_two(0, store, found.append)
    assert here.poll(100)
    found.append(here.recv())
    other.join(30)
    return *found, len(calls)


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_learn_what_one_learns_of_both_batches(kind: str, how: str, losses: Any) -> None:
    *of_ranks, _ = losses
    expected = learn(Tagger(kind), [0, 1])
    for rank, found in enumerate(of_ranks):
        assert [loss for [loss] in found[kind, how]] == pytest.approx([of_step[rank] for of_step in expected], rel=1e-4)


def test_it_is_the_engine_that_learns(losses: Any) -> None:
    layers_and_cell = 3
    assert losses[-1] == len(KINDS) * len(WRAPPED) * STEPS * layers_and_cell
