"""FSDP2: sharded parameters, whose storage is emptied and filled again between forward and backward."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.multiprocessing

import elman.nn
from elman.ops import _calls

if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)
fully_shard: Any = pytest.importorskip("torch.distributed.fsdp", reason="FSDP2 is of torch 2.6").__dict__.get(
    "fully_shard"
)
if fully_shard is None:
    pytest.skip("FSDP2 is of torch 2.6", allow_module_level=True)

# PyTorch's FSDP2 itself, on a CPU
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning:torch.distributed")

LAYERS = ("RNN", "GRU", "LSTM")


class Tagger(torch.nn.Module):
    def __init__(self, nn: ModuleType, kind: str) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(6, 16, 2, batch_first=True, bidirectional=True)
        self.scores = torch.nn.Linear(32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores(self.rnn(x)[0])  # type: ignore[no-any-return]


def losses(nn: ModuleType, kind: str, rank: int) -> list[float]:
    torch.manual_seed(0)
    model, generator = Tagger(nn, kind), torch.Generator().manual_seed(rank)
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    fully_shard(model.rnn, mesh=mesh, reshard_after_forward=True)
    fully_shard(model, mesh=mesh)
    optimizer, found = torch.optim.Adam(model.parameters(), lr=0.01), []
    for _ in range(4):
        loss = model(torch.randn(4, 5, 6, generator=generator)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    join(0, 1, str(tmp_path / "store"))
    yield
    torch.distributed.destroy_process_group()


def join(rank: int, processes: int, store: str) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=processes)


@pytest.mark.parametrize("kind", LAYERS)
def test_it_trains_to_the_losses_of_torch_on_the_engine(
    alone: None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, backward = [], _calls._backward
    monkeypatch.setattr(_calls, "_backward", lambda *given: (calls.append(1), backward(*given))[1])
    ours = losses(elman.nn, kind, 0)
    assert len(calls) == 4 * 2
    assert ours == pytest.approx(losses(torch.nn, kind, 0), rel=1e-5)


def train_as_one_of_two(rank: int, store: str) -> None:
    torch.set_num_threads(1)
    join(rank, 2, store)
    for kind in LAYERS:
        assert losses(elman.nn, kind, rank) == pytest.approx(losses(torch.nn, kind, rank), rel=1e-5)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_it_trains_to_the_losses_of_torch_over_two_processes(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(train_as_one_of_two, (str(tmp_path / "store"),), nprocs=2)
