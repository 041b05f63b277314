"""One profile for hypothesis, one state of PyTorch to start from, slow tests and a GPU's only when asked for."""

import gc
import os
from collections.abc import Iterator

import hypothesis
import pytest

# torch's OpenMP threads otherwise spin while they wait: on two cores that somebody else uses as well, a test of
# a tenth of a second then takes thirty.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Derandomised: the same examples in every run, so that a failure is always found again.
hypothesis.settings.register_profile(
    "elman",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    print_blob=False,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("elman")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests marked slow, or for a GPU, unless ``-m`` speaks of them."""
    for mark in ("slow", "gpu"):
        if mark in config.option.markexpr:
            continue
        left_out = [item for item in items if item.get_closest_marker(mark)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker(mark)]


def pytest_collection_finish() -> None:
    """No collection looks again at what is there before the first test, half a million objects of PyTorch's."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _pytorch_as_found() -> Iterator[None]:
    """Each test starts from one seed and leaves PyTorch's global settings as they were.

    Tests that never import PyTorch are not made to.
    """
    import sys

    if "torch" not in sys.modules:
        yield
        return
    import torch

    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
    torch.set_flush_denormal(False)
