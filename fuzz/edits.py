"""Damage with a sense of the format: JSON with a value of it replaced, safetensors whose lengths still add up."""

import json
from typing import Any

from fuzz.choices import Choices

__all__ = ["edit_bytes", "edit_json", "edit_tensors"]

ODD_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 1000, 1001, 2**31, 2**31 + 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
    0.5, -0.0, 1e308, float("nan"), float("inf"), "", "0", "1", "a", "a\0", "\0", "\n", "\x1b[2J", "我", "\ud800",
    "x" * 2000, "char", "word", "tanh", "relu", "true", "F32", "F64", [], {}, [[]], [0], [0, 0], [-1], {"a": 1},
    [2**62, 2**62, 0], [0] * 40, ["a", "b"], ["a", "a\0"], [-1, 2**63], [1.5, 2.5], [True, False], {"": ""},
]  # fmt: skip
TOKENS = [
    b"\0", b"\n", b"\r", b"\r\n", b'"', b"'", b",", b"\t", b"{", b"}", b"[", b"]", b":", b"\\", b"\\u{d800}",
    b"\\u{110000}", b"\\u0000", b"\\ud800", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"NaN", b"-",
    b"1e999", b"0" * 5000, b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"<padding>\n", b"epoch,loss,seconds\n",
    b"1,1,1\n",
]  # fmt: skip


def edit_bytes(content: bytes, choices: Choices) -> bytes:
    """Return bytes with a part overwritten, put in, left out or doubled, or cut off, or all of it replaced."""
    place = choices.number(len(content) + 1)
    kind = choices.number(7)
    if kind == 0:
        return content[:place] + choices.take(1 + choices.number(8)) + content[place + 1 :]
    if kind == 1:
        return content[:place] + choices.pick(TOKENS) + content[place:]
    if kind == 2:
        return content[:place] + content[place + 1 + choices.number(64) :]
    if kind == 3:
        return content[:place] + content[max(0, place - 1 - choices.number(64)) :]
    if kind == 4:
        return content[:place]
    if kind == 5:
        return content[:place] + choices.take(choices.number(256)) + content[place:]
    return choices.rest()


def edit_json(content: bytes, choices: Choices) -> bytes:
    """Return JSON with one of its values or keys changed; what is no JSON is edited as bytes."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return edit_bytes(content, choices)
    root: list[Any] = [value]
    holder: Any = root
    key: Any = 0
    while isinstance(holder[key], dict | list) and holder[key] and (holder is root or not choices.chance(6)):
        holder = holder[key]
        key = choices.pick(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if isinstance(holder[key], str) and holder[key].startswith("{"):  # JSON within JSON
        holder[key] = edit_json(holder[key].encode(), choices).decode("utf-8", "replace")
        return json.dumps(root[0]).encode()
    kind = choices.number(6)
    if kind <= 2:
        holder[key] = choices.pick(ODD_VALUES)
    elif kind == 3:
        del holder[key]
    elif kind == 4 and isinstance(holder, dict):
        holder[choices.pick(["a", "", "\n", "__metadata__", "x" * 2000, choices.text(20)])] = holder[key]
    elif kind == 4:
        holder.insert(key, holder[key])
    else:
        holder[key] = choices.number(2**16) if choices.chance() else choices.text(40)
    return json.dumps(root[0] if root else [], ensure_ascii=choices.chance()).encode("utf-8", "surrogatepass")


def edit_tensors(content: bytes, choices: Choices) -> bytes:
    """Return a safetensors file with its header edited and the length before it made to fit, or its data edited."""
    length = int.from_bytes(content[:8], "little")
    header, data = content[8 : 8 + length], content[8 + length :]
    kind = choices.number(4)
    if kind == 3:
        return edit_bytes(content, choices)
    if kind == 2:
        data = edit_bytes(data, choices)
    else:
        header = edit_json(header, choices)
    return len(header).to_bytes(8, "little") + header + data
