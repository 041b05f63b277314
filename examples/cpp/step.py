"""Steps a recurrent network through a series and prints, byte for byte, what main.cpp prints.

python step.py rnn.safetensors series.txt
"""

import sys
from contextlib import nullcontext
from typing import BinaryIO

import numpy as np

import elman

Network = elman.runtime.RNN | elman.runtime.GRU | elman.runtime.LSTM | elman.runtime.Recurrent

LARGEST = float(np.finfo(np.float32).max)


def read_number(word: bytes) -> float:
    try:
        number = float(word) if set(word) <= set(b"0123456789+-.eE") else np.inf
    except ValueError:
        number = np.inf
    if abs(number) > LARGEST:
        raise elman.InputError(f"expected decimal numbers within float32, got {word!r}")
    return number


def step_through(series: BinaryIO, name: str, rnn: Network) -> None:
    stream = rnn.stream()
    for number, line in enumerate(series, 1):
        try:
            x_t = [read_number(word) for word in line.split()]
            if len(x_t) != rnn.input_size:
                raise elman.InputError(f"expected {rnn.input_size} numbers, got {len(x_t)}")
        except elman.InputError as error:
            raise elman.InputError(f"{name}, line {number}: {error}") from None
        h_t = stream.step(np.array(x_t, np.float32))
        print(" ".join(f"{value:.9g}" for value in h_t.tolist()), flush=True)


def main() -> int:
    try:
        if len(sys.argv) != 3:
            raise elman.InputError("expected two arguments: a safetensors file, and a series or -")
        rnn, path = elman.load(sys.argv[1]), sys.argv[2]
        if not isinstance(rnn, Network):
            raise elman.InputError(f"{sys.argv[1]}: expected a network that elman.save wrote, got a model folder")
        if rnn.dtype != np.float32:
            raise elman.InputError(f"{sys.argv[1]}: expected float32, got {rnn.dtype}")
        with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as series:
            step_through(series, path, rnn)
    except (elman.InputError, OSError) as error:
        print(f"step.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
