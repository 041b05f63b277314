"""Model folders of every kind and cell as they were first written, and what they said; neither is ever to change."""

import json
from pathlib import Path

import numpy as np
import pytest

import elman

MODELS = Path(__file__).parents[1] / "models"
SAID = {
    name: said
    for file in ("kinds_1.json", "cells.json", "sequence_tagger_2.json")
    for name, said in json.loads((MODELS / file).read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("name", ["sequence_classifier_1", "sequence_classifier_gru"])
def test_a_classifier_of_sequences_says_what_it_said(name):
    said = SAID[name]
    probabilities = elman.load(MODELS / name).predict_proba([np.array(x) for x in said["sequences"]])
    np.testing.assert_allclose(probabilities, said["probabilities"], atol=1e-6)


@pytest.mark.parametrize("name", ["sequence_tagger_1", "sequence_tagger_2"])
def test_a_tagger_says_what_it_said(name):
    said, model = SAID[name], elman.load(MODELS / name)
    assert model.predict(said["sentences"]) == said["tags"]
    for probabilities, expected in zip(model.predict_proba(said["sentences"]), said["probabilities"], strict=True):
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


@pytest.mark.parametrize(("name", "prompt"), [("language_model_1", "床前"), ("language_model_lstm", "the ")])
def test_a_language_model_says_what_it_said(name, prompt):
    said, model = SAID[name], elman.load(MODELS / name)
    assert model.bits_per_character(said["text"]) == pytest.approx(said["bits_per_character"], abs=1e-5)
    assert "".join(model.generate(prompt, 12, temperature=0.5, seed=3)) == said["drawn"]


def test_a_forecaster_says_what_it_said():
    said = SAID["forecaster_1"]
    forecast = elman.load(MODELS / "forecaster_1").forecast(said["horizon"])
    assert forecast.times == said["times"]
    for name in ("values", "lower", "upper"):
        np.testing.assert_allclose(getattr(forecast, name), said[name], rtol=1e-5)
