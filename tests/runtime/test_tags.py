"""Spans to tags and back, repair, transitions, and the likeliest well-formed tags."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.runtime._tagger.tags import (
    Span,
    detect_scheme,
    encode_spans,
    first_fault,
    is_bare,
    marked,
    tag_spans,
    transitions,
)
from elman.runtime._tagger.viterbi import likeliest_path

LETTERS = {"BIO": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEW": "BMEW"}
LETTERS |= {f"bare {scheme}": letters for scheme, letters in LETTERS.items()}
schemes = st.sampled_from(sorted(LETTERS))


def tags_of(scheme):
    kinds = ("",) if is_bare(scheme) else ("-city", "-X-ray")
    return ["O", *(f"{letter}{kind}" for letter in LETTERS[scheme] for kind in kinds)]


@st.composite
def spans(draw, types="ab"):
    """A sentence's length and spans in it that do not overlap."""
    found, end = [], 0
    for gap, length, kind in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(types)))):
        found.append(Span(kind, end + gap, end + gap + length))
        end += gap + length
    return end + draw(st.integers(0, 3)), found


@st.composite
def sentences_of_tags(draw):
    scheme = draw(schemes)
    return scheme, draw(st.lists(st.sampled_from(tags_of(scheme)), max_size=12))


@given(st.data(), schemes)
def test_spans_become_well_formed_tags_and_are_read_back(data, scheme):
    length, found = data.draw(spans([""] if is_bare(scheme) else "ab"))
    tags = encode_spans(found, length, scheme)
    assert len(tags) == length
    assert first_fault(tags, scheme) is None
    assert tag_spans(tags) == found


@given(sentences_of_tags())
def test_repaired_tags_are_well_formed_and_mark_the_same_spans(case):
    scheme, tags = case
    repaired = encode_spans(tag_spans(tags), len(tags), scheme)
    assert first_fault(repaired, scheme) is None
    assert tag_spans(repaired) == tag_spans(tags)
    if first_fault(tags, scheme) is None:
        assert repaired == tags


@given(sentences_of_tags())
def test_the_table_of_transitions_says_the_same_as_the_search_for_a_fault(case):
    scheme, tags = case
    known = tags_of(scheme)
    around = [-1, *(known.index(tag) for tag in tags), -1]
    table = transitions(known, scheme)
    faults = [place for place, pair in enumerate(pairwise(around)) if table[pair] < 0]
    assert first_fault(tags, scheme) == (faults[0] if faults else None)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B-a", "I-a", "O", "B-b"], [("a", 0, 2), ("b", 3, 4)]),
        (["I-a", "I-b", "I-b", "B-b"], [("a", 0, 1), ("b", 1, 3), ("b", 3, 4)]),
        (["O", "E-a", "S-a", "B-a", "E-a", "I-a"], [("a", 1, 2), ("a", 2, 3), ("a", 3, 5), ("a", 5, 6)]),
        (["B-a", "L-a", "U-b", "O"], [("a", 0, 2), ("b", 2, 3)]),
        (["B-a", "M-a", "M-a", "E-a", "S-b", "O"], [("a", 0, 4), ("b", 4, 5)]),
        (["B-a", "E-a", "W-b", "W-b"], [("a", 0, 2), ("b", 2, 3), ("b", 3, 4)]),
        (["B", "M", "E", "S", "O", "B", "E"], [("", 0, 3), ("", 3, 4), ("", 5, 7)]),
        (["O", "B", "I", "O", "B"], [("", 1, 3), ("", 4, 5)]),
        ([], []),
    ],
)
def test_spans_are_what_conlleval_reads(tags, spans):
    assert tag_spans(tags) == spans


@given(sentences_of_tags())
def test_nervaluate_reads_the_same_spans_of_bio(case):
    evaluator = pytest.importorskip("nervaluate.loaders")
    scheme, tags = case
    if scheme != "BIO":
        return
    theirs = evaluator.ListLoader().load([tags])[0]
    assert [(each.label, each.start, each.end + 1) for each in theirs] == tag_spans(tags)


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        ([["B-a", "I-a", "O"], ["O"]], "BIO"),
        ([["B-a", "I-a", "O"], ["I-a"]], "BIO"),  # ill-formed
        ([["I-a", "I-a", "B-a", "O"], ["I-b"]], "IOB1"),
        ([["S-a", "O"]], "BIOES"),
        ([["B-a", "E-a", "O"]], "BIOES"),
        ([["U-a", "O"]], "BILOU"),
        ([["B-a", "L-a"]], "BILOU"),
        ([["NOUN", "VERB"]], "plain"),
        ([["O", "O"]], "plain"),
        ([["B-a", "B-b", "tag"]], "BIO"),  # a mistake, for others to find
        ([["I-", "B-"]], "plain"),
        ([["B-ORG", "M-ORG", "E-ORG", "S-X", "O"]], "BMES"),
        ([["B-a", *["M-a"] * 9, "E-a"]], "BMES"),  # more in the middle than elsewhere
        ([["B-a", "M-a", "E-a", "W-a"]], "BMEW"),
        ([["B", "M", "E", "S"], ["S", "B", "E"]], "bare BMES"),
        ([["B", "E", "S"], ["S", "B", "E"]], "bare BIOES"),
        ([["O", "B", "I"], ["B", "O"]], "bare BIO"),
        ([["O", "B", "I"], ["I", "O"], ["B"]], "bare BIO"),  # a mistake
        ([["I", "B"], ["I"], ["B"]], "plain"),
        ([["B", "O"], ["S", "O"]], "plain"),
        ([["E", "M"], ["S"]], "plain"),
    ],
)
def test_the_scheme_is_detected(sentences, scheme):
    assert detect_scheme(sentences) == scheme


def test_plain_tags_mark_a_token_each():
    assert marked(["O", "，", "O"], "plain") == [("，", 1, 2)]


@given(schemes, st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
def test_the_path_is_the_likeliest_of_all_well_formed_ones(scheme, steps, counted, random):
    tags = ["O", *(tag for tag in tags_of(scheme) if tag[1:] in ("", "-city") and tag != "O")]
    logarithms = np.array([[random.uniform(-9, 0) for _ in tags] for _ in range(steps)], np.float32)
    following = transitions(tags, scheme)
    if counted:
        following += [[random.uniform(-3, 3) for _ in row] for row in following]
    path = likeliest_path(logarithms, following)

    def likelihood(numbers):
        around = [-1, *numbers, -1]
        of_tags = sum(float(logarithms[step, number]) for step, number in enumerate(numbers))
        return of_tags + following[around[:-1], around[1:]].sum()

    sound = [
        numbers
        for numbers in product(range(len(tags)), repeat=steps)
        if first_fault([tags[number] for number in numbers], scheme) is None
    ]
    assert tuple(path.tolist()) in sound
    assert likelihood(path) == pytest.approx(max(map(likelihood, sound)), abs=1e-9)


def test_whatever_a_damaged_network_says_the_path_is_well_formed():
    tags = ["B-a", "E-a", "I-a", "O", "S-a"]
    for value in (np.nan, -np.inf, np.inf):
        logarithms = np.full((5, len(tags)), value, np.float32)
        path = likeliest_path(logarithms, transitions(tags, "BIOES"))
        assert first_fault([tags[number] for number in path], "BIOES") is None
