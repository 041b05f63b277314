"""A text as numbers: the same in blocks of any size, whatever the encoding; what is no text is refused."""

import codecs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import InputError
from elman.runtime._language.tokens import split
from elman.runtime._vocabulary import UNKNOWN
from elman.tasks._language import corpus as corpus_module
from elman.tasks._language.corpus import encode, text_blocks

TEXT = "床前明月光，\r\n疑是地上霜。\n𝒜 naïve café 😀\n\nabc don’t abc "
kinds = st.sampled_from(["char", "word"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 18])
def test_characters_may_lie_across_the_borders_of_blocks(tmp_path, monkeypatch, encoding, block):
    monkeypatch.setattr(corpus_module, "BLOCK", block)
    path = tmp_path / "text"
    path.write_bytes(TEXT.encode(encoding))
    assert "".join(text_blocks(path, "utf-8" if encoding.startswith("utf-8") else encoding)) == TEXT


@settings(max_examples=30, deadline=None)
@given(
    text=st.text("ab ’\n我", max_size=60), size=st.integers(1, 9), tokens=kinds, share=st.sampled_from([0.0, 0.1, 0.5])
)
def test_the_numbers_are_the_same_in_blocks_of_any_size(text, size, tokens, share):
    corpus = encode([text], share, tokens)
    blocks = [text[i : i + size] for i in range(0, len(text), size)]
    again = encode(blocks, share, tokens)
    assert (again.digest, again.vocabulary.tokens) == (corpus.digest, corpus.vocabulary.tokens)
    assert (again.training == corpus.training).all()
    assert (again.held == corpus.held).all()
    assert (again.held_characters, again.held_unknown) == (corpus.held_characters, corpus.held_unknown)


@settings(max_examples=30, deadline=None)
@given(text=st.text("ab ’\n我", max_size=60), tokens=kinds, share=st.sampled_from([0.0, 0.1, 0.5]))
def test_the_tail_is_held_out_and_what_is_rare_in_the_rest_teaches_what_is_unknown(text, tokens, share):
    corpus, whole = encode([text], share, tokens), split(text, tokens)
    border = len(whole) - int(len(whole) * share + 0.5)
    training, held = whole[:border], whole[border:]
    least = 1 if tokens == "char" else 2
    known = {token for token in training if training.count(token) >= least}
    assert set(corpus.vocabulary.tokens[4:]) == known
    types = list(dict.fromkeys(whole))
    single = {token for token in training if training.count(token) == 1 and types.index(token) % 2}
    seen = ["<unknown>" if token in single else token for token in training]
    assert corpus.training.tolist() == corpus.vocabulary.numbers(seen)
    assert corpus.held.tolist() == corpus.vocabulary.numbers(held)
    assert corpus.held_characters == len("".join(held))
    assert corpus.held_unknown == {token: held.count(token) for token in held if token not in known}


def test_another_text_can_be_held_out():
    corpus = encode(["aabb"], ["ab", "cc"], "char")
    assert corpus.training.tolist() == corpus.vocabulary.numbers("aabb")
    assert corpus.held.tolist() == [*corpus.vocabulary.numbers("ab"), UNKNOWN, UNKNOWN]
    assert corpus.held_unknown == {"c": 2}
    assert encode(["aabbabcc"], 0.5, "char").training.tolist() == corpus.training.tolist()
    assert encode(["aabbabcc"], 0.0, "char").digest != corpus.digest


def test_a_corpus_is_mapped_and_leaves_no_file(tmp_path):
    corpus = encode(["ab" * 5000], 0.1, "char", tmp_path)
    assert isinstance(corpus.training, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert corpus.training[:2].tolist() == corpus.vocabulary.numbers("ab")


def test_a_document_that_is_no_text_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "text").write_bytes(b"%PDF-1.5\n")
    with pytest.raises(InputError, match=r"text: expected utf-8 text, got a PDF document; save its text$"):
        list(text_blocks(tmp_path / "text"))


@pytest.mark.parametrize("block", [3, 1 << 18])
@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (b"abc\nd\xff\n", "utf-8", r"line 2: expected utf-8 text, got an invalid byte \(byte 6 of the file, 0xff\)"),
        ("光\n".encode() + b"\xe5\x85", "utf-8", r"line 2: expected utf-8 text, got an invalid byte \(byte 5 of"),
        (b"abc\n\n\0", "utf-8", r"line 3: expected text, got a NUL byte \(byte 6 of the file\)"),
        (codecs.BOM_UTF16_LE + "ab".encode("utf-16-le")[:3], "utf-8", "expected utf-16 text, got an invalid byte"),
        (b"abc", "utf-9", "encoding: expected a name such as utf-8, gb18030 or latin-1, got 'utf-9'"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(tmp_path, monkeypatch, content, encoding, message, block):
    monkeypatch.setattr(corpus_module, "BLOCK", block)
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(text_blocks(path, encoding))
    with pytest.raises(InputError, match="expected a file, there is none of that name"):
        list(text_blocks(tmp_path / "none"))
