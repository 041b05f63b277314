import shutil
from pathlib import Path

import pytest

from elman import _engine
from tests.package.environments import PURELIB, install, says


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the base install and nothing else."""
    python = install(tmp_path_factory.mktemp("bare"), "wheel.cmake=false", "wheel.py-api=py3")
    shutil.copy(_engine.__file__, Path(says(python, PURELIB, python.parent)) / "elman")
    return python
