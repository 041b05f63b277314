import json
import os
import tracemalloc
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from elman import _safetensors
from elman._errors import InputError
from elman._safetensors import TensorFile, TensorSpec, tensor_bytes, write_tensors
from tests.runtime.refusals import refusal

ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def content(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def read(path):
    file = TensorFile(path)
    return file.load(), file.metadata


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_file_says_what_it_holds_before_it_is_read(path):
    write_tensors(path, {"a": np.ones((2, 3), np.float32), "b": np.ones(3)}, {"format": "f"})
    file = TensorFile(path)
    expected = {"b": TensorSpec("F64", (3,), (0, 24)), "a": TensorSpec("F32", (2, 3), (24, 48))}
    assert (file.specs, file.metadata) == (expected, {"format": "f"})


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).filter(lambda name: name != "__metadata__")
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
tensors = arrays.arrays(st.sampled_from(["<f4", "<f8", ">f4", ">f8"]), shapes)


@pytest.mark.filterwarnings("ignore:.* holds infinite weights or NaN:RuntimeWarning")
@given(st.dictionaries(names, tensors), st.dictionaries(names, names), st.sampled_from(["C", "F"]))
def test_what_was_written_is_read(by_name, metadata, order):
    by_name = {name: np.asarray(array, order=order) for name, array in by_name.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.safetensors")
        write_tensors(path, by_name, metadata)
        loaded, said = read(path)
        assert path.read_bytes() == tensor_bytes(dict(reversed(by_name.items())), dict(reversed(metadata.items())))
    assert said == metadata
    assert loaded.keys() == by_name.keys()
    for name, array in loaded.items():
        assert np.array_equal(array, by_name[name], equal_nan=True)
        assert (array.shape, array.dtype) == (by_name[name].shape, by_name[name].dtype.newbyteorder("="))
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.flags.writeable


def test_the_bytes_are_the_library_s():
    by_name = {"b": np.ones((2, 3), np.float32), "a": np.zeros(3, np.float32), "c": np.ones(5)}
    assert tensor_bytes(by_name) == safetensors.numpy.save(by_name)
    assert tensor_bytes({}) == safetensors.numpy.save({})


def test_each_tensor_has_memory_of_its_own_aligned_whatever_the_file(path):
    header = json.dumps({"a": tensor("F64", [2], 0, 16), "b": tensor("F64", [], 16, 24)}).encode()
    path.write_bytes(content(header + b" " * (1 - len(header) % 8), np.arange(3.0).tobytes()))
    loaded, _ = read(path)
    assert all(array.flags.aligned for array in loaded.values())
    loaded["a"][:] = 9
    path.unlink()
    assert (loaded["a"].tolist(), loaded["b"].tolist()) == ([9, 9], 2)


CUT = "expected a safetensors file, got {} bytes cut short or of another kind"
UNSOUND = "expected sound tensors, got: "
TEXT = json.dumps({"a": ONE})[1:-1].encode()

DAMAGED = {
    "empty": (b"", CUT.format(0)),
    "shorter than its first number": (b"abcd", CUT.format(4)),
    "shorter than its header": (content(b"{}", length=100), CUT.format(10)),
    "a header of 2^64 bytes": (content(b"{}", length=2**64 - 1), CUT.format(10)),
    "no header": (bytes(8), "expected JSON, got: Expecting value"),
    "not JSON": (content(b"{} x"), "expected JSON, got: Extra data"),
    "not UTF-8": (content(b'{"\xff": 1}'), "expected UTF-8 text, got: invalid start byte"),
    "byte order mark": (content(b"\xef\xbb\xbf{}"), "expected JSON, got: Unexpected UTF-8 BOM"),
    "half a pair": (content(b'{"\\ud800": 1}'), "expected UTF-8 text, got: surrogates not allowed"),
    "deep": (content(b'{"a":' * 100_000), "expected JSON, got values nested too deep"),
    "no object": (content([]), "expected an object, got []"),
    "data missing": (content({"a": ONE}), "expected 4 bytes after its header, got 0"),
    "data cut": (content({"a": ONE}, bytes(3)), "expected 4 bytes after its header, got 3"),
    "data after it": (content({"a": ONE}, bytes(5)), "expected 4 bytes after its header, got 5"),
    "billions claimed": (
        content({"a": tensor("F32", [10**9], 0, 4 * 10**9)}, bytes(4)),
        "expected 4000000000 bytes after its header, got 4",
    ),
    "sizes overflow": (content({"a": tensor("F32", [2**62, 4], 0, 0)}), "expected 73786976294838206464 bytes after"),
    "sizes overflow to nothing": (content({"a": tensor("F32", [2**62, 2**62, 0], 0, 0)}), UNSOUND),
    "nothing, but large": (content({"a": tensor("F32", [0, 2**62], 0, 0)}), UNSOUND),
    "size negative": (content({"a": tensor("F32", [-1], 0, 4)}, bytes(4)), "expected ['a'].shape[0] to be a number"),
    "sizes negative": (content({"a": tensor("F32", [-1, -1], 0, 4)}, bytes(4)), "expected ['a'].shape[0] to be"),
    "size beyond 64 bits": (content({"a": tensor("F32", [2**64], 0, 4)}), "expected JSON, got: the number 1844674"),
    "size too long": (content(TEXT.join([b"{", b"}"]).replace(b"[1]", b"[" + b"1" * 5000 + b"]")), "expected JSON, g"),
    "size no integer": (content({"a": tensor("F32", [1.0], 0, 4)}, bytes(4)), "expected ['a'].shape[0] to be an int"),
    "size true": (content({"a": tensor("F32", [True], 0, 4)}, bytes(4)), "expected ['a'].shape[0] to be an integer"),
    "many dimensions": (content({"a": tensor("F32", [1] * 33, 0, 4)}, bytes(4)), "expected 'a' of at most 32 dimens"),
    "huge product": (content({"a": tensor("F32", [2**62] * 10**5, 0, 4)}), "expected 'a' of at most 32 dimensions"),
    "offset negative": (content({"a": tensor("F32", [1], -4, 0)}, bytes(4)), "expected ['a'].data_offsets[0] to be"),
    "offset beyond 64 bits": (content({"a": tensor("F32", [1], 0, 2**64)}, bytes(4)), "expected JSON, got: the numb"),
    "offsets reversed": (content({"a": tensor("F32", [1], 4, 0)}, bytes(4)), UNSOUND),
    "offsets of another size": (content({"a": tensor("F32", [1], 0, 8)}, bytes(4)), UNSOUND),
    "one offset": (content({"a": ONE | {"data_offsets": [0]}}, bytes(4)), UNSOUND),
    "three offsets": (content({"a": ONE | {"data_offsets": [0, 4, 4]}}, bytes(4)), UNSOUND),
    "hole": (content({"a": ONE, "b": tensor("F32", [1], 8, 12)}, bytes(8)), UNSOUND),
    "hole at the start": (content({"a": tensor("F32", [1], 4, 8)}, bytes(4)), UNSOUND),
    "overlap": (content({"a": ONE, "b": tensor("F32", [1], 2, 6)}, bytes(8)), UNSOUND),
    "overlap of strange names": (content({"a": ONE, "\n\x1b" * 999: ONE}, bytes(8)), UNSOUND),
    "twice the same place": (content({"a": ONE, "b": ONE}, bytes(8)), UNSOUND),
    "a name twice": (content(b"{%b, %b}" % (TEXT, TEXT), bytes(4)), "expected JSON, got: the key 'a' twice"),
    "a field twice": (content(b'{"a": {"shape": [1], "shape": [1]}}'), "expected JSON, got: the key 'shape' twice"),
    "metadata twice": (
        content(b'{"__metadata__": {}, "__metadata__": {}}'),
        "expected JSON, got: the key '__metadata__' twice",
    ),
    "a key of metadata twice": (content(b'{"__metadata__": {"a": "", "a": ""}}'), "expected JSON, got: the key 'a' tw"),
    "metadata null": (content({"__metadata__": None}), "expected __metadata__ to be an object, got None"),
    "metadata list": (content({"__metadata__": ["a"]}), "expected __metadata__ to be an object, got ['a']"),
    "metadata number": (content({"__metadata__": {"a": 1}}), "expected __metadata__['a'] to be a string, got 1"),
    "metadata object": (content({"__metadata__": {"a": {}}}), "expected __metadata__['a'] to be a string, got {}"),
    "unknown dtype": (content({"a": ONE | {"dtype": "X"}}, bytes(4)), "expected ['a'].dtype to be 'F32' or 'F64', go"),
    "bfloat16": (content({"a": tensor("BF16", [2], 0, 4)}, bytes(4)), "expected ['a'].dtype to be 'F32' or 'F64', go"),
    "integers": (content({"a": ONE | {"dtype": "I32"}}, bytes(4)), "expected ['a'].dtype to be 'F32' or 'F64', got '"),
    "no dtype": (content({"a": {"shape": [1], "data_offsets": [0, 4]}}), "expected the key ['a'].dtype, got none"),
    "more fields": (content({"a": ONE | {"x": 1}}), "expected only the keys dtype, shape, data_offsets in ['a'], got"),
    "list for an object": (content({"a": ["F32", [1], [0, 4]]}, bytes(4)), "expected ['a'] to be an object, got ["),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused(path, name):
    damaged, message = DAMAGED[name]
    path.write_bytes(damaged)
    refused = refusal(read, path)
    assert refused.startswith(f"{path}: {message}")
    assert refused.isprintable()


@pytest.mark.parametrize("claimed", [2**29 - 50, 2**40])
def test_memory_is_not_taken_for_what_a_header_claims(path, claimed):
    path.write_bytes(content({"a": tensor("F32", [claimed], 0, 4 * claimed)}))
    size = path.stat().st_size + 4 * claimed
    os.truncate(path, size)  # a sparse file: as long as it claims, and takes no room
    tracemalloc.start()
    try:
        if size > 2**32:
            assert f"expected a file of at most 4294967296 bytes, got {size}" in refusal(TensorFile, path)
        else:
            assert TensorFile(path).specs["a"].shape == (claimed,)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_header_is_not_read_whatever_its_length(path):
    path.write_bytes(content(b"", length=2**22 + 1))
    os.truncate(path, 2**23)
    assert refusal(TensorFile, path) == f"{path}: {CUT.format(2**23)}"


def test_a_file_that_changes_meanwhile_is_refused(path):
    write_tensors(path, {"a": np.zeros(3)})
    file = TensorFile(path)
    write_tensors(path, {"b": np.zeros(3)})
    assert "expected a file that stays as it is" in refusal(file.load)
    os.truncate(path, 20)
    assert "expected a file that stays as it is" in refusal(file.load)


def test_tensors_larger_than_the_memory_are_refused(path, monkeypatch):
    write_tensors(path, {"a": np.zeros(3)})
    file = TensorFile(path)

    def load(content):
        raise MemoryError

    monkeypatch.setattr(_safetensors, "load", load)
    assert refusal(file.load) == f"{path}: expected tensors that fit into memory, got {path.stat().st_size} bytes"


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    message = refusal(write_tensors, tmp_path / "none" / "x", {})
    assert message == f"{tmp_path / 'none'}: expected a place that can be written, No such file or directory"


SOUND = tensor_bytes({"a": np.ones((2, 3), np.float32), "b": np.ones(3)}, {"format": "f"})


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=3), st.integers(0, len(SOUND)))
def test_any_damage_is_read_or_refused(changes, length):
    damaged = bytearray(SOUND)
    for place, byte in changes:
        damaged[place] = byte
    with TemporaryDirectory() as folder:
        for data in (damaged, damaged[:length]):
            Path(folder, "x").write_bytes(data)
            with suppress(InputError):
                read(Path(folder, "x"))
