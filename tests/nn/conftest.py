"""The layers are compared on one thread; tests of threads ask for two themselves."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from elman.ops import _calls, _step

# What looks into a layer is promised of the PyTorch that the suite runs against, and of later ones.
if [*map(int, torch.__version__.split(".")[:2])] < [2, 13]:
    names = ("torch_compile", "export", "operators", "vmap", "modes", "tracing", "arguments_elsewhere")
    collect_ignore = [f"test_{name}.py" for name in names]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # Two OpenMP threads on two cores that somebody else uses too make a test of a second take thirty.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def engine_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """``forward`` and ``backward`` for each call of the engine, in their order."""
    found: list[str] = []
    names = ("forward", "forward_kept", "forward_if_admitted", "backward")
    for place, name in (*((_calls, name) for name in names), (_step, "step_if_admitted")):
        engine = getattr(place, f"_{name}")

        def counted(*given: Any, name: str = name, engine: Any = engine) -> Any:
            results = engine(*given)
            if isinstance(results, tuple | torch.Tensor):  # else the engine has not been called
                found.append(name.partition("_")[0].replace("step", "forward"))
            return results

        monkeypatch.setattr(place, f"_{name}", counted)
    return found
