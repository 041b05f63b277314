"""Tensors in safetensors files. A file may claim what it likes: its header is checked before memory is taken."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from reprlib import repr as shortened
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from elman._errors import InputError
from elman._files import open_file, read_file, write_files
from elman._schema import Range, build, parse_json

__all__ = ["TensorFile", "TensorSpec", "tensor_bytes", "write_tensors"]

METADATA = "__metadata__"
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
LONGEST_HEADER = 2**22
MOST_DIMENSIONS = 32  # NumPy 1's; without a limit, the product of a header full of sizes takes hours
LARGEST_FILE = 2**32  # a billion weights, ten times what anyone trains on a CPU; a sparse file costs its sender nothing

Natural = Annotated[int, Range(0, 2**63 - 1)]


@dataclass(frozen=True)
class TensorSpec:
    """What a file's header says of a tensor."""

    dtype: Literal["F32", "F64"]
    shape: tuple[Natural, ...]
    data_offsets: tuple[Natural, ...]


class TensorFile:
    """A safetensors file whose header has been read and whose tensors have not.

    The header is sound JSON, all dtypes are F32 or F64, and the file is as long as the shapes demand. Where each
    tensor lies is left to the safetensors library, which refuses gaps and overlaps.

    Args:
        path: the file.
        within: a folder that the file may not leave by a link.

    Attributes:
        specs: dtype and shape of each tensor by its name.
        metadata: the file's strings by name.

    Raises:
        InputError: it cannot be read, or is no such file.
    """

    def __init__(self, path: Path, within: Path | None = None) -> None:
        self.path, self._within = path, within
        with open_file(path, within, LARGEST_FILE) as (stream, size):
            self._start = stream.read(8)
            length = int.from_bytes(self._start, "little")
            if size < 8 or length > min(size - 8, LONGEST_HEADER):
                raise InputError(f"{path}: expected a safetensors file, got {size} bytes cut short or of another kind")
            header = stream.read(length)
        self._start += header
        entries = parse_json(header, str(path))
        metadata = entries.pop(METADATA, {}) if isinstance(entries, dict) else {}
        self.metadata = build(metadata, dict[str, str], str(path), METADATA)
        self.specs = build(entries, dict[str, TensorSpec], str(path))
        for name, spec in self.specs.items():
            if len(spec.shape) > MOST_DIMENSIONS:
                wanted = f"{shortened(name)} of at most {MOST_DIMENSIONS} dimensions"
                raise InputError(f"{path}: expected {wanted}, got {len(spec.shape)}")
        demanded = sum(prod(spec.shape) * DTYPES[spec.dtype].itemsize for spec in self.specs.values())
        if 8 + length + demanded != size:
            raise InputError(f"{path}: expected {demanded} bytes after its header, got {size - 8 - length}")

    def load(self) -> dict[str, NDArray[Any]]:
        """Read the tensors; check before that :attr:`specs` are what you can use.

        Returns:
            Each tensor by its name, C-contiguous, aligned, writable and in memory of its own.

        Warns:
            RuntimeWarning: one holds NaN or infinity.

        Raises:
            InputError: they overlap, or leave gaps, or are too large for the memory, or the file has changed.
        """
        content = read_file(self.path, self._within, LARGEST_FILE)
        if not content.startswith(self._start):
            raise InputError(f"{self.path}: expected a file that stays as it is, got another header when read again")
        try:
            tensors = load(content)
        except MemoryError:
            raise InputError(f"{self.path}: expected tensors that fit into memory, got {len(content)} bytes") from None
        except (SafetensorError, ValueError) as error:  # ValueError: (0, 2**62), too large for NumPy though empty
            raise InputError(f"{self.path}: expected sound tensors, got: {str(error)!r:.200}") from None
        for name, tensor in tensors.items():
            if not np.isfinite(tensor).all():
                warnings.warn(f"{self.path}: {name} holds infinite weights or NaN", RuntimeWarning, stacklevel=2)
        return tensors


def tensor_bytes(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a safetensors file: the same bytes for the same tensors and metadata.

    The library's own order of the metadata differs from call to call; without metadata the bytes are the library's.

    Args:
        tensors: arrays of float32 and float64 by name.
        metadata: strings by name.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))
    arrays = {name: np.asarray(array, array.dtype.newbyteorder("<"), order="C") for name, array in ordered}
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    names, end = {dtype: name for name, dtype in DTYPES.items()}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": names[array.dtype], "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *(array.data for array in arrays.values())])


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file, wholly or not at all.

    Args:
        path: the file; one that is there is replaced.
        tensors: arrays of float32 and float64 by name.
        metadata: strings by name.

    Raises:
        InputError: it cannot be written.
    """
    write_files(path.parent, {path.name: tensor_bytes(tensors, metadata)})
