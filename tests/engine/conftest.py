"""Every instruction set of this machine in turn."""

from collections.abc import Iterator

import pytest

from elman import _engine


@pytest.fixture(params=_engine.instruction_sets(), scope="module")
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _engine.instruction_set()
    _engine.use_instruction_set(request.param)
    yield request.param
    _engine.use_instruction_set(before)
