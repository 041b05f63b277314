"""What `make fuzz` found in the runtime, each with the smallest input that showed it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import elman
from elman._errors import listed, shown
from elman.runtime._vocabulary import tokenize
from tests.runtime.marked_models import VERSION_1
from tests.runtime.networks import network, normal, parameters
from tests.runtime.refusals import refusal
from tests.runtime.test_text_classifier import classifier


def overlapping(shape, *strides, dtype="f4"):
    """An array whose strides are these, in elements, far from the ends of its memory."""
    room = np.zeros(4096, dtype)
    return np.lib.stride_tricks.as_strided(room[2048:], shape, [stride * room.itemsize for stride in strides])


@pytest.mark.parametrize("strides", [(0, 6, 1), (6, 0, 1), (1, 1, 1), (18, 6, 0), (3, 18, 1), (-6, 6, 1)])
def test_an_out_that_overlaps_itself_is_refused(strides):
    # the engine reads states back from there: they were others by then
    out = overlapping((5, 3, 6), *strides)
    assert refusal(network(), normal(5, 3, 4), out=out).startswith("out: expected elements apart from one another, got")
    assert not out.any()
    stream = network().stream(3)
    assert "out: expected elements apart" in refusal(stream.step, normal(3, 4), overlapping((3, 6), strides[1], 0))
    assert not stream.state.any()


@pytest.mark.parametrize("strides", [(18, 6, 1), (-18, 6, 1), (6, -30, 1), (18, 6, -1), (200, 50, 7), (1, 5, 15)])
def test_an_out_of_any_other_strides_is_written(strides):
    rnn, x, out = network(), normal(5, 3, 4), overlapping((5, 3, 6), *strides)
    assert rnn(x, out=out)[0] is out
    assert (out == rnn(x)[0]).all()


def test_an_out_of_one_feature_may_have_any_stride_there():
    rnn, x = network(1, 1), normal(5, 3, 1)
    out = np.lib.stride_tricks.as_strided(np.zeros((5, 3, 1), "f"), strides=(12, 4, -28))
    rnn(x, out=out)
    assert (out == rnn(x)[0]).all()


@pytest.mark.parametrize(
    "rows",
    [
        np.ones((3, 6), bool),
        [True],
        np.array(2**64 - 1, "u8"),
        np.array([2**64 - 1], "u8"),
        [[0, 1]],
        10**5000,
        "x" * 999,
    ],
    ids=range(7),
)
def test_rows_that_are_no_places_are_refused(rows):
    stream = network().stream(3)
    stream.state = np.ones((1, 3, 6))
    assert refusal(stream.reset, rows).startswith("rows: expected places from 0 to 2 in the batch, got ")
    assert (stream.state == 1).all()


def test_rows_are_counted_from_the_end_too():
    stream = network().stream(3)
    stream.state = np.ones((1, 3, 6))
    stream.reset(np.array([-1, 0], ">i2"))
    assert stream.state[0, :, 0].tolist() == [0, 1, 0]


LONG, LINES = "x" * 9999, "x\ny\x1b[2J"


@pytest.mark.parametrize("name", [LONG, LINES, "\ud800"], ids=["long", "lines", "surrogate"])
def test_names_of_parameters_are_told_in_one_short_line(tmp_path, name):
    given = parameters()
    for array in (np.ones(3, "f"), np.ones(3, "i4"), "x", np.ones(3)):
        assert refusal(elman.runtime.RNN, {**given, name: array}).isprintable()
    if name != "\ud800":
        path = tmp_path / "rnn"
        rnn = network()
        rnn.parameters[name] = np.ones(3, "f")
        rnn.save(path)
        assert refusal(elman.load, path).isprintable()


VALUES = [LONG, [LINES] * 999, 10**5000, np.zeros((9, 9)), np.zeros(3, "f4,i4"), {LONG: LONG}]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_values_are_told_in_one_short_line(value):
    rnn, given = network(), parameters()
    for function, *arguments in (
        (elman.runtime.RNN, given, value),
        (elman.runtime.RNN, given, "tanh", value),
        (elman.runtime.RNN, {**given, "weight_ih_l0": value}),
        (rnn.stream, value),
        (rnn, normal(5, 4), None, value),
        (rnn, value),
        (rnn.stream().reset, value),
    ):
        assert refusal(function, *arguments).isprintable()


def test_errors_of_what_is_no_array_are_told_in_one_short_line():
    class Odd:
        def __array__(self, *arguments, **options):
            raise ValueError("no\n" * 999)

    assert refusal(network(), Odd()).isprintable()
    assert "got (1, 1, 1, 1, 1, 1, ...)" in refusal(network(), np.zeros((1,) * 32, "f"))


def test_words_for_any_value():
    class Odd:
        def __repr__(self):
            raise ValueError

    assert shown(10**5000) == "a value of type int"
    assert shown(Odd()).startswith("<Odd instance at ")
    assert shown("a\n") == r"'a\n'"
    assert listed(["a", "b\n", "c" * 61]) == rf"a, 'b\n', '{'c' * 12}...{'c' * 13}'"
    assert listed(map(str, range(9))) == "0, 1, 2, 3, 4, 5, 6, 7, …"


@pytest.mark.parametrize("classes", [["a", "b", "a\0"], ["a", "b", "\0"], [-1, 0, 2**63]])
def test_classes_that_an_array_would_change_are_refused(tmp_path, classes):
    folder = Path(shutil.copytree(VERSION_1, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, "classes": classes}))
    assert "expected two classes or more, all different and of one type, got" in refusal(elman.load, folder)


@pytest.mark.parametrize(
    ("tokens", "pieces"),
    [
        ("word", ["x’", "y"]),  # two unknown tokens become one
        ("word", ["x", "’", "y", "’", "z"]),
        ("char", ["\u1100", "\u1161", "\u11a8"]),
    ],
)
def test_a_token_that_swallows_the_one_before_is_read_once(tokens, pieces):
    model = classifier(bidirectional=False, tokens=tokens)
    stream = model.stream()
    for count, piece in enumerate(pieces, start=1):
        assert (stream.step(piece) == model.predict_proba(["".join(pieces[:count])])[0]).all()


@pytest.mark.parametrize("piece", [None, 3, b"a", ["a"]])
def test_a_piece_that_is_no_string_is_refused(piece):
    stream = classifier(bidirectional=False).stream()
    first = stream.step("a")
    assert refusal(stream.step, piece).startswith("text: expected a string, got ")
    assert stream.text == "a"
    assert (stream.step("") == first).all()


def test_a_text_that_was_cut_is_said_to_be():
    assert tokenize("İ", "older word", 1) == (["i"], True)  # in lower case two characters, and tokens
    assert tokenize("İ", "word", 1) == (["i\u0307"], False)
    assert tokenize("\u1100\u1161\u11a8" * 40, "char", 20) == (["각"] * 20, True)  # three make one
    assert tokenize("\u1100\u1161\u11a8" * 20, "char", 20) == (["각"] * 20, False)


@pytest.mark.parametrize(
    "weights", [None, 3, {1: 2}, [[np.ones((3, 3))] * 2, 3], [[np.ones((3, 3))] * 2] * 99 + [[]]], ids=range(5)
)
def test_what_is_no_list_of_keras_weights_is_refused(weights):
    assert refusal(elman.runtime.from_keras, weights).startswith("weights")


@pytest.mark.parametrize("names", [("weight_ih", "weight_ih_l0"), ("weight_ih_l0", "weight_ih")])
def test_an_array_by_both_its_names_is_refused(names):
    given = {name: np.ones((6, 4), "f") for name in names} | {"weight_hh_l0": np.ones((6, 6), "f")}
    assert refusal(elman.runtime.RNN, given) == (
        f"{names[1]}: expected this array once, got it by a layer's name and by a cell's"
    )


def test_an_infinite_bias_of_keras_stays_infinite():
    rnn = elman.runtime.from_keras([np.ones((2, 1), "f"), np.zeros((1, 1), "f"), np.array([np.inf], "f")])
    assert rnn(np.ones((1, 3, 2), "f"))[0].ravel().tolist() == [1, 1, 1]
