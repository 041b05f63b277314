"""Environments that elman is installed into.

The engine is compiled once, by the installation that runs these tests; what is installed here gets a copy of it.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)


def install(folder: Path, *settings: str) -> Path:
    """Install elman into a new environment; return its interpreter."""
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    options = ["--quiet", *(word for setting in settings for word in ("--config-settings", setting))]
    installed = run(sys.executable, "-m", "pip", "--python", python, "install", *options, ROOT, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return python


def says(python: Path, program: str, cwd: Path) -> str:
    finished = run(python, "-W", "error", "-c", program, cwd=cwd)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()
