import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError
from elman._safetensors import tensor_bytes
from elman.runtime._model_folder import read_model
from tests.runtime.marked_models import FILES, VERSION_1
from tests.runtime.refusals import refusal


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(VERSION_1, tmp_path / "model"))


IN_CONFIG = {
    "version": ('"version": 1', '"version": 7', "expected version 1, got version 7"),
    "no version": ('"version": 1,', "", "expected version 1, got version None"),
    "version true": ('"version": 1', '"version": true', "expected version 1, got version True"),
    "another version's keys": ('"version": 1', '"version": 2, "x": 1', "expected version 1, got version 2"),
    "format": ("text classifier", "tagger", "expected one of the formats 'elman text classifier'"),
    "no JSON": ('"version": 1,', '"version": 1', "expected JSON, got: Expecting ',' delimiter"),
    "NUL": ("别", "\x00", "expected JSON, got: Invalid control character"),
    "type": ('"hidden_size": 5', '"hidden_size": "5"', "expected network.hidden_size to be an integer, got '5'"),
    "key twice": ('"layers": 2', '"layers": 2, "layers": 1', "expected JSON, got: the key 'layers' twice"),
    "key missing": ('"layers": 2,', "", "expected the key network.layers, got none of that name"),
    "key unknown": (
        '"layers": 2',
        '"layers": 2, "x": 1',
        "expected only the keys hidden_size, layers, bidirectional,",
    ),
    "no size": ('"embedding_size": 4', '"embedding_size": 0', "expected network.embedding_size to be a number from 1"),
    "size": ('"hidden_size": 5', '"hidden_size": 3000000000', "expected network.hidden_size to be a number from 1 to"),
    "layers": (
        '"layers": 2',
        '"layers": 1000000000',
        "expected network.layers to be a number from 1 to 1000, got 1000",
    ),
    "cell": ('"layers": 2', '"layers": 2, "cell": "GRU"', "expected network.cell to be 'rnn', 'gru' or 'lstm', got"),
    "nonlinearity": ('"tanh"', '"relu"', "expected network.nonlinearity to be 'tanh', got 'relu'"),
    "pooling": ("max mean", "max", "expected network.pooling to be 'max mean final', got 'max final'"),
    "tokens": ('"char"', '"byte"', "expected text.tokens to be 'char' or 'word', got 'byte'"),
    "one class": (
        '"别",\n    "论语",',
        "",
        "expected two classes or more, all different and of one type, got ['诗经']",
    ),
    "a class twice": ('"论语",', '"诗经",', "expected two classes or more, all different and of one type"),
    "types of classes": ('"论语",', "1,", "expected two classes or more, all different and of one type"),
    "class null": ('"论语",', "null,", "expected classes[1] to be a string, an integer, a number or true or false"),
    "counts": ('"别": 1,', '"别": [],', "expected data.training_by_class['别'] to be an integer, got []"),
}
# What config.json and vocabulary.txt say decides what the tensors have to be.
AGAINST_THE_TENSORS = {
    "a class less": ("config.json", '"论语",', "", "output.weight of F32 and the shape (2, 30)"),
    "units": (
        "config.json",
        '"hidden_size": 5',
        '"hidden_size": 999999',
        "rnn.weight_ih_l0 of F32 and the shape (9999",
    ),
    "another cell": (
        "config.json",
        '"layers": 2',
        '"layers": 2, "cell": "lstm"',
        "rnn.weight_ih_l0 of F32 and the shape (20, 4)",
    ),
    "more layers": ("config.json", '"layers": 2', '"layers": 1000', "a tensor rnn.weight_ih_l2, got none of that name"),
    "fewer layers": (
        "config.json",
        '"layers": 2',
        '"layers": 1',
        "only the tensors of its network, got 'rnn.bias_hh_l1'",
    ),
    "directions": (
        "config.json",
        '"bidirectional": true,\n    "non',
        '"bidirectional": false,\n    "non',
        "only the tensors of its network, got 'rnn.bias_hh_l0_reverse'",
    ),
    "a token more": ("vocabulary.txt", "。\n", "。\n又\n", "embedding.weight of F32 and the shape (203, 4)"),
    "a token less": ("vocabulary.txt", "。\n", "", "embedding.weight of F32 and the shape (201, 4)"),
}
IN_OTHERS = {
    "a token twice": ("vocabulary.txt", "，", "。", ": expected every token once"),
    "a token twice, escaped": ("vocabulary.txt", "，", "\\u{3002}", ": expected every token once"),
    "no marks": ("vocabulary.txt", "<padding>", "<x>", ", line 1: expected the tokens <padding>, <unknown>, <start>"),
    "NaN": ("metrics.json", "0.5", "NaN", ": expected JSON, got: the number nan"),
    "epoch": ("history.csv", "1,1.1", "x,1.1", ": expected the figures of each epoch, got: "),
    "column": ("history.csv", "epoch", "x", ": expected the figures of each epoch, got: "),
    "field more": ("history.csv", "0.071", "0.071,1", ": expected the figures of each epoch, got: "),
    "field less": ("history.csv", ",0.071", "", ": expected the figures of each epoch, got: "),
}
REPLACED = {
    **{name: ("config.json", old, new, f"config.json: {message}") for name, (old, new, message) in IN_CONFIG.items()},
    **{
        name: (file, old, new, f"model.safetensors: expected {message}")
        for name, (file, old, new, message) in AGAINST_THE_TENSORS.items()
    },
    **{name: (file, old, new, f"{file}{message}") for name, (file, old, new, message) in IN_OTHERS.items()},
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_damaged_model_is_refused(folder, name):
    file, old, new, message = REPLACED[name]
    content = (folder / file).read_bytes()
    assert old.encode() in content
    (folder / file).write_bytes(content.replace(old.encode(), new.encode(), 1))
    assert refusal(read_model, folder).startswith(f"{folder}/{message}")


OTHER_BYTES = {
    "list": ("config.json", b"[]", ": expected one of the formats 'elman text classifier'"),
    "byte order mark": ("config.json", b"\xef\xbb\xbf{}", ": expected JSON, got: Unexpected UTF-8 BOM"),
    "Latin 1": ("config.json", b'{"x": "\xe9"}', ": expected UTF-8 text, got: "),
    "GBK": ("vocabulary.txt", "关\n".encode("gbk") * 202, ": expected UTF-8 text, got other bytes"),
    "other tokens": ("vocabulary.txt", b"a\n" * 202, ", line 1: expected the tokens <padding>, <unknown>, <start>"),
    "metrics list": ("metrics.json", b"[]", ": expected an object, got []"),
    "history bytes": ("history.csv", b"\xff", ": expected the figures of each epoch, got: "),
    "no tensors": (
        "model.safetensors",
        tensor_bytes({}),
        ": expected a tensor embedding.weight, got none of that name",
    ),
    "no safetensors": (
        "model.safetensors",
        b"no",
        ": expected a safetensors file, got 2 bytes cut short or of another",
    ),
}


@pytest.mark.parametrize("name", OTHER_BYTES)
def test_other_bytes_are_refused(folder, name):
    file, content, message = OTHER_BYTES[name]
    (folder / file).write_bytes(content)
    assert refusal(read_model, folder).startswith(f"{folder / file}{message}")


@pytest.mark.parametrize("name", sorted(FILES - {"history.csv"}))
def test_a_file_cut_short_is_refused(folder, name):
    content = (folder / name).read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 2):
        (folder / name).write_bytes(content[: min(length, len(content) - 2)])
        assert refusal(read_model, folder).startswith(f"{folder}/")


SHAPE = "and the shape {} (by config.json and vocabulary.txt), got F32 and {}"


def renamed(tensors, old, new):
    return {new if name == old else name: array for name, array in tensors.items()}


def swapped(tensors, one, other):
    return tensors | {one: tensors[other], other: tensors[one]}


OTHER_TENSORS = {
    "renamed": (lambda t: renamed(t, "output.bias", "output.Bias"), "expected a tensor output.bias, got none of that"),
    "extra": (lambda t: t | {"x\n": t["output.bias"]}, "expected only the tensors of its network, got 'x\\n'"),
    "missing": (lambda t: renamed(t, "rnn.bias_hh_l1", "output.bias"), "expected a tensor rnn.bias_hh_l1, got none"),
    "swapped": (
        lambda t: swapped(t, "rnn.weight_ih_l1", "rnn.weight_hh_l1"),
        "expected rnn.weight_ih_l1 of F32 " + SHAPE.format("(5, 10)", "(5, 5)"),
    ),
    "turned": (
        lambda t: t | {"rnn.weight_ih_l0": t["rnn.weight_ih_l0"].T},
        "expected rnn.weight_ih_l0 of F32 " + SHAPE.format("(5, 4)", "(4, 5)"),
    ),
    "flat": (
        lambda t: t | {"output.weight": t["output.weight"].ravel()},
        "expected output.weight of F32 " + SHAPE.format("(3, 30)", "(90,)"),
    ),
    "float64": (
        lambda t: t | {"output.bias": t["output.bias"].astype(float)},
        "expected output.bias of F32 and the shape (3,) (by config.json and vocabulary.txt), got F64 and (3,)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_TENSORS)
def test_other_tensors_are_refused(folder, name):
    change, message = OTHER_TENSORS[name]
    (folder / "model.safetensors").write_bytes(tensor_bytes(change(read_model(folder).tensors)))
    assert refusal(read_model, folder).startswith(f"{folder / 'model.safetensors'}: {message}")


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_any_damage_is_read_or_refused(tmp_path_factory, file, changes):
    folder = Path(shutil.copytree(VERSION_1, tmp_path_factory.mktemp("damage") / "model"))
    content = bytearray((folder / file).read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    (folder / file).write_bytes(content)
    with suppress(InputError), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        read_model(folder)
    shutil.rmtree(folder)
