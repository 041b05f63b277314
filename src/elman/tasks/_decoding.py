"""Bytes to lines of text, with the place of whatever is no text."""

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from elman._errors import InputError, OptionError, option
from elman.tasks._other_formats import by_content

__all__ = ["check_encoding", "decoded_lines", "encoding_of"]

SNIFFED_BYTES = 1 << 20
NO_FILES = {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}  # of names and of source code
MARKS = {  # that a text begins with; one of UTF-32 begins with one of UTF-16
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
ASCII = set(map(chr, range(128)))
WESTERN = set("ÄÖÜäöüßÀÁÂÃÅÆÇÈÉÊËÍÎÏÑÓÔÕØÚŒàáâãåæçèéêëìíîïñòóôõøùúûœ€£¥§°²³–—’‘“”„…«»·¿¡\xa0")  # cp1252's everyday ones


def check_encoding(encoding: str) -> str:
    """Return Python's own name of a text encoding.

    Raises:
        OptionError: Python knows no text encoding of that name.
    """
    try:
        info = codecs.lookup(encoding)
        "".encode(info.name)  # base64 and the like are no text encodings
        if info.name.replace("-", "_") in NO_FILES:
            raise LookupError
    except (LookupError, ValueError):
        raise OptionError("encoding", "a name such as utf-8, gb18030 or latin-1", encoding) from None
    return info.name


def encoding_of(begin: bytes, encoding: str) -> str:
    """Return the encoding of a text: what its byte order mark says where UTF-8, the default, was asked for."""
    marked = (found for mark, found in MARKS.items() if begin.startswith(mark))
    return next(marked, "utf-8-sig") if encoding == "utf-8" else encoding


def decoded_lines(stream: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    r"""Yield the lines of a stream, each with its ``\n``; a byte order mark is dropped.

    Raises:
        InputError: bytes that are not of the encoding, or a NUL; the message names the line and the byte.
    """
    encoding = check_encoding(encoding)
    lines = iter(stream)
    first = next(lines, b"")
    if other := by_content(first):
        raise InputError(f"{name}: expected {encoding} text, got {other}")
    encoding = encoding_of(first, encoding)
    if encoding.startswith(("utf-16", "utf-32")):  # their newline is more than one byte: read whole
        text = io.StringIO(_decode(first + stream.read(), name, encoding, 1, 0), newline="\n")
        for number, line in enumerate(text, start=1):
            if "\0" in line:
                raise _nul(name, number, None)
            yield line
        return
    place = 0
    for number, raw in enumerate(chain([first] if first else [], lines), start=1):
        try:
            line = raw.decode("utf-8" if number > 1 and encoding == "utf-8-sig" else encoding)
        except UnicodeDecodeError as error:
            sample = raw + stream.read(SNIFFED_BYTES)
            raise _undecodable(name, encoding, number, place, raw, error, sample) from None
        if "\0" in line:
            at = raw.find(b"\0")  # UTF-7 can spell it with other bytes
            raise _nul(name, number, None if at < 0 else place + at + 1, _wide_encoding(raw) if number == 1 else None)
        place += len(raw)
        yield line


def _decode(raw: bytes, name: str, encoding: str, number: int, place: int) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(name, encoding, number, place, raw, error, raw) from None


def _nul(name: str, number: int, at: int | None, wide: str | None = None) -> InputError:
    got = "a NUL character" if at is None else f"a NUL byte (byte {at} of the file)"
    hint = f"; the file looks like UTF-16 without its mark: add {option('encoding', wide)}" if wide else ""
    return InputError(f"{name}, line {number}: expected text, got {got}{hint}")


def _wide_encoding(line: bytes) -> str | None:
    """Return the encoding of which a first line looks to be, where every other byte of it is a NUL."""
    nuls = [line[start::2].count(0) for start in (0, 1)]
    if len(line) >= 8 and max(nuls) >= 0.9 * (len(line) // 2) and not min(nuls):
        return "utf-16-be" if nuls[0] else "utf-16-le"
    return None


def _undecodable(
    name: str, encoding: str, number: int, place: int, raw: bytes, error: UnicodeDecodeError, sample: bytes
) -> InputError:
    expected = "utf-8" if encoding == "utf-8-sig" else encoding
    place_text = f"byte {place + error.start + 1} of the file, 0x{raw[error.start]:02x}"
    message = f"{name}, line {number}: expected {expected} text, got an invalid byte ({place_text})"
    if expected == "utf-8" and _looks_like_gbk(sample):
        return InputError(f"{message}; the file looks like GBK: add {option('encoding', 'gbk')}")
    if expected == "utf-8" and set(sample.decode("cp1252", "replace")) - ASCII <= WESTERN:
        return InputError(
            f"{message}; the file looks like Windows-1252 (Western European): add {option('encoding', 'cp1252')}"
        )
    return InputError(f"{message}; if it is in another encoding, name it with {option('encoding')}")


def _looks_like_gbk(sample: bytes) -> bool:
    r"""Whether the sample reads as GBK and what is not ASCII in it is mostly everyday Chinese.

    GB2312's first level, the 3,755 commonest characters, has lead bytes 0xB0 to 0xD7.
    """
    try:  # the sample may end within a character
        text = codecs.getincrementaldecoder("gbk")().decode(sample)
    except UnicodeDecodeError:
        return False
    foreign = [c for c in text if ord(c) > 127]
    common = sum(_is_common(c) for c in foreign)
    return bool(foreign) and common >= 0.6 * len(foreign)


def _is_common(character: str) -> bool:
    code = character.encode("gbk")
    punctuation = 0xA1 <= code[0] <= 0xA3
    return punctuation or (0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1)
