"""Prints by how many bytes one training step raises the peak of a process's memory.

python benchmarks/memory.py elman LSTM 1000,32,128,256
"""

import sys
from pathlib import Path

import torch

import elman.nn

LAYERS = {"elman": elman.nn, "torch": torch.nn}


def of_process(field: str) -> int:
    """Return a number of bytes that Linux keeps of this process: VmRSS, now; VmHWM, the most so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024


def train(layer: torch.nn.RNNBase, x: torch.Tensor, d_output: torch.Tensor) -> None:
    """One step; the input needs no gradient."""
    output, _ = layer(x)
    torch.autograd.backward(output, d_output)


def main() -> None:
    name, title, sizes = sys.argv[1:]
    steps, batch, input_size, hidden_size = map(int, sizes.split(","))
    kind = getattr(LAYERS[name], title)
    layer = kind(input_size, hidden_size)
    x, d_output = torch.randn(steps, batch, input_size), torch.randn(steps, batch, hidden_size)
    train(kind(2, 2), torch.randn(2, 1, 2), torch.randn(2, 1, 2))  # what is loaded and started once
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before = of_process("VmRSS")
    train(layer, x, d_output)
    print(of_process("VmHWM") - before)


if __name__ == "__main__":
    main()
