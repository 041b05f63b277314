import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError
from elman._schema import UNSAID, Range, build, decode, stated
from tests.runtime.refusals import refusal


@dataclass(frozen=True)
class Inner:
    size: Annotated[int, Range(1, 1000)]
    kind: Literal["tanh"] = "tanh"


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float
    inner: Inner
    labels: list[str | int | float | bool]
    columns: dict[str, str]
    anything: Any = None
    shape: tuple[int, ...] = ()
    perhaps: Annotated[float, Range(0, 1)] | None = None
    inners: list[Inner] = field(default_factory=list)


SOUND = {"name": "我", "rate": 1, "inner": {"size": 5}, "labels": ["a", 1, 1.5, True], "columns": {"text": "t"}}


def encoded(**changes):
    return json.dumps(SOUND | changes).encode()


def test_json_becomes_dataclasses():
    value = decode(encoded(anything=[{"x": None}], shape=[2, 3], perhaps=0.5, inners=[{"size": 1}]), Outer, "f")
    labels = ["a", 1, 1.5, True]
    assert value == Outer("我", 1.0, Inner(5), labels, {"text": "t"}, [{"x": None}], (2, 3), 0.5, [Inner(1)])
    assert [type(label) for label in value.labels] == [str, int, float, bool]
    assert type(value.rate) is float
    assert decode(encoded(), Outer, "f") == Outer("我", 1.0, Inner(5), labels, {"text": "t"})


@dataclass(frozen=True)
class Later:
    inner: Inner
    cell: Literal["rnn", "other"] = field(default="rnn", metadata=UNSAID)


def test_what_files_did_not_say_from_the_first_is_said_only_where_it_differs():
    inner = {"size": 5, "kind": "tanh"}
    assert stated(Later(Inner(5))) == {"inner": inner}
    assert stated(Later(Inner(5), "other")) == {"inner": inner, "cell": "other"}
    for value in (Later(Inner(5)), Later(Inner(5), "other")):
        assert build(stated(value), Later, "f") == value


NO_JSON = {
    "empty": (b"", "expected JSON, got: Expecting value: line 1 column 1 (char 0)"),
    "cut": (b'{"a": ', "expected JSON, got: Expecting value: line 1 column 7 (char 6)"),
    "more after it": (b"{} {}", "expected JSON, got: Extra data: line 1 column 4 (char 3)"),
    "bytes": (b'{"a": "\xff"}', "expected UTF-8 text, got: invalid start byte"),
    "UTF-16": ("{}".encode("utf-16"), "expected UTF-8 text, got: invalid start byte"),
    "byte order mark": (b"\xef\xbb\xbf{}", "expected JSON, got: Unexpected UTF-8 BOM"),
    "half a pair": (b'["\\ud800"]', "expected UTF-8 text, got: surrogates not allowed"),
    "half a pair as key": (b'{"\\udfff": 1}', "expected UTF-8 text, got: surrogates not allowed"),
    "NaN": (b'{"a": NaN}', "expected JSON, got: the number nan"),
    "infinity": (b"[-Infinity]", "expected JSON, got: the number -inf"),
    "infinity in digits": (b"[1e999]", "expected JSON, got: the number inf"),
    "integer": (b"[18446744073709551616]", "expected JSON, got: the number 18446744073709551616"),
    "long integer": (b"[" + b"9" * 5000 + b"]", "expected JSON, got: Exceeds the limit"),
    "deep": (b"[" * 102 + b"]" * 102, "expected JSON, got values nested too deep"),
    "deeper": (b"[" * 200_000 + b"]" * 200_000, "expected JSON, got values nested too deep"),
    "deep objects": (b'{"a":' * 100_000, "expected JSON, got values nested too deep"),
    "a key twice": (b'{"a": 1, "b": 2, "b": 2}', "expected JSON, got: the key 'b' twice"),
    "a key twice within": (b'[{"x": {"\\u0061": 1, "a": 2}}]', "expected JSON, got: the key 'a' twice"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_JSON)
def test_other_bytes_are_refused(name):
    content, message = NO_JSON[name]
    assert refusal(decode, content, Any, "config.json").startswith(f"config.json: {message}")


OTHER_VALUES = {
    "no object": (b"[]", "expected an object, got []"),
    "missing": (b"{}", "expected the key name, got none of that name"),
    "missing within": (encoded(inner={}), "expected the key inner.size, got none of that name"),
    "unknown within": (encoded(inner={"size": 1, "x": 2}), "expected only the keys size, kind in inner, got 'x'"),
    "string": (encoded(name=1), "expected name to be a string, got 1"),
    "null": (encoded(name=None), "expected name to be a string, got None"),
    "number": (encoded(rate="1"), "expected rate to be a number, got '1'"),
    "boolean for a number": (encoded(rate=True), "expected rate to be a number, got True"),
    "boolean for an integer": (encoded(inner={"size": True}), "expected inner.size to be an integer, got True"),
    "number for an integer": (encoded(inner={"size": 1.0}), "expected inner.size to be an integer, got 1.0"),
    "too small": (encoded(inner={"size": 0}), "expected inner.size to be a number from 1 to 1000, got 0"),
    "too great": (encoded(inner={"size": 10**9}), "expected inner.size to be a number from 1 to 1000, got 1000000000"),
    "choice": (encoded(inner={"size": 1, "kind": "relu"}), "expected inner.kind to be 'tanh', got 'relu'"),
    "object": (encoded(inner=[1]), "expected inner to be an object, got [1]"),
    "list": (encoded(labels="ab"), "expected labels to be a list, got 'ab'"),
    "in a list": (encoded(labels=["a", None]), "expected labels[1] to be a string, an integer, a number or true"),
    "in objects of a list": (encoded(inners=[{"size": 0}]), "expected inners[0].size to be a number from 1 to 1000"),
    "in a tuple": (encoded(shape=[1, "2"]), "expected shape[1] to be an integer, got '2'"),
    "in a dict": (encoded(columns={"text": 1}), "expected columns['text'] to be a string, got 1"),
    "in a union": (encoded(perhaps=2), "expected perhaps to be a number or null, got 2"),
    "long": (encoded(rate="x" * 10**6), "expected rate to be a number, got 'xxxxxxxxxxxx...xxxxxxxxxxxxx'"),
    "escapes": (encoded(**{"\x1b[2J\n": 1}), "expected only the keys name, rate, inner, labels, columns, anything, "),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_other_values_are_refused(name):
    content, message = OTHER_VALUES[name]
    refused = refusal(decode, content, Outer, "config.json")
    assert refused.startswith(f"config.json: {message}")
    assert refused.isprintable()


@pytest.mark.parametrize("number", [0, 1, True, False, 1.0])
def test_a_choice_is_of_its_own_type(number):
    if type(number) is int and number == 1:
        assert build(number, Literal[1], "f") == 1
    else:
        assert refusal(build, number, Literal[1], "f", "version").startswith("f: expected version to be 1, got ")


@given(st.binary())
def test_any_bytes_are_decoded_or_refused(content):
    with suppress(InputError):
        decode(content, Outer, "config.json")


words = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**64) + 1, 2**64 - 1)
inners = st.builds(Inner, st.integers(1, 1000))


@given(
    st.builds(
        Outer,
        name=words,
        rate=numbers,
        inner=inners,
        labels=st.lists(words | integers | numbers | st.booleans()),
        columns=st.dictionaries(words, words),
        anything=st.recursive(words | integers, lambda inner: st.lists(inner) | st.dictionaries(words, inner)),
        shape=st.lists(integers).map(tuple),
        perhaps=st.none() | st.floats(0, 1),
        inners=st.lists(inners),
    )
)
def test_what_was_written_is_read(value):
    content = json.dumps(asdict(value), ensure_ascii=False).encode()
    assert decode(content, Outer, "f") == value
