"""The fuzzing targets hold over their corpus and over some hundred mutations of it; `make fuzz` goes on from there."""

import importlib.util
import random

import pytest

from fuzz.mutations import mutate
from fuzz.places import CORPUS, corpus_files
from fuzz.targets import NAMES, load_target

MUTATIONS = 300


@pytest.mark.parametrize("name", NAMES)
def test_a_target_holds_over_its_corpus_and_mutations_of_it(name):
    if name == "onnx_model" and not importlib.util.find_spec("onnx"):
        pytest.skip("needs the package onnx")
    target, generator = load_target(name), random.Random(name)
    corpus = [path.read_bytes() for path in corpus_files(name)]
    for data in (*corpus, *(mutate(generator, corpus) for _ in range(MUTATIONS))):
        try:
            target.run(data)
        except Exception as error:
            raise AssertionError(f"found with the input {data!r}") from error


def test_the_corpus_is_small_and_every_folder_a_target_s():
    assert {path.name for path in CORPUS.iterdir()} == set(NAMES)
    assert sum(path.stat().st_size for name in NAMES for path in corpus_files(name)) < 200_000
