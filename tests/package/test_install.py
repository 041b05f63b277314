"""The package as a user without PyTorch has it: built and installed into an environment of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the base install and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    options = ["--quiet", "--config-settings", f"build-dir={folder / 'build'}"]
    installed = run(sys.executable, "-m", "pip", "--python", python, "install", *options, ROOT, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return python


def says(python: Path, program: str, cwd: Path) -> str:
    finished = run(python, "-W", "error", "-c", program, cwd=cwd)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


@pytest.mark.timeout(300)
def test_the_base_install_is_numpy_and_safetensors_alone(python: Path, tmp_path: Path) -> None:
    program = "from importlib.metadata import distributions; print(*sorted(d.name for d in distributions()))"
    assert says(python, program, tmp_path).split() == ["elman", "numpy", "safetensors"]


def test_elman_and_its_engine_import_without_pytorch(python: Path, tmp_path: Path) -> None:
    program = "import elman, elman._engine, sys; print(elman.__version__, 'torch' in sys.modules)"
    assert says(python, program, tmp_path) == "0.1.0 False"


def test_the_command_line_says_which_extra_it_needs(python: Path, tmp_path: Path) -> None:
    finished = run(python.with_name("elman"), "--help", cwd=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr == "elman: the command line needs typer: pip install 'elman[train]'\n"


def test_the_installed_package_is_small(python: Path, tmp_path: Path) -> None:
    program = "import elman; from pathlib import Path; print(Path(elman.__file__).parent)"
    files = [path for path in Path(says(python, program, tmp_path)).rglob("*") if path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files if path.is_file()) < 3 << 20


def test_importing_elman_imports_no_pytorch_where_it_is_installed() -> None:
    program = "import elman, elman._engine, sys; print('torch' in sys.modules)"
    assert says(Path(sys.executable), program, ROOT) == "False"
