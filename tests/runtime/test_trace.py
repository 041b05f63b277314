"""Stepping through what a model reads: the bits of its own predictions, and the page that shows them."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import InputError
from elman._cells import FAMILIES
from elman.runtime._states import hidden_states
from elman.runtime._trace.page import page_data
from elman.runtime._trace.trace import MOST_STEPS, layer_states
from tests.runtime.networks import CELLS, network, normal
from tests.runtime.test_text_classifier import classifier

MODELS = Path(__file__).parents[1] / "models"
SAID = json.loads((MODELS / "kinds_1.json").read_text(encoding="utf-8"))
TEXT = "ab c 我爱e\u0301 </script><b>\ud800"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_states_of_every_layer_are_the_bits_of_the_whole_network(bidirectional, cell):
    rnn, x = network(4, 7, 3, cell=cell, bidirectional=bidirectional), normal(9, 4)
    states = layer_states(rnn, x)
    output, final = rnn(x)
    h_n = hidden_states(final)
    assert states.shape == (9, 3, 1 + bidirectional, 7)
    assert (states[:, -1].reshape(9, -1) == output).all()
    for layer in range(3):
        assert (states[-1, layer, 0] == h_n[layer * (1 + bidirectional)]).all()
        if bidirectional:
            assert (states[0, layer, 1] == h_n[2 * layer + 1]).all()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("tokens", ["char", "word"])
def test_what_a_classifier_believes_after_a_token_is_what_it_says_of_the_text_so_far(bidirectional, tokens):
    model = classifier(bidirectional=bidirectional, layers=2, tokens=tokens, max_length=100)
    words = ["ab", "c", "我", "爱", "abc", "zz"]
    trace = model.trace(" ".join(words) if tokens == "word" else "".join(words))
    read = words if tokens == "word" else list("".join(words))
    space = " " if tokens == "word" else ""
    assert trace.read == ["<start>", *read, "<end>"]
    so_far = [space.join(read[:end]) for end in range(len(read) + 1)]
    assert (trace.beliefs[:-1] == model.predict_proba(so_far)).all()
    assert (trace.beliefs[-1] == trace.beliefs[-2]).all()
    assert [trace.outcomes[place] for place in trace.taken[:-1]] == model.predict(so_far).tolist()
    assert trace.known.tolist() == [True, *(token in model.vocabulary.tokens for token in read), True]


@pytest.mark.parametrize("cell", FAMILIES)
def test_a_text_that_streams_is_traced_to_the_bits_of_its_stream(cell):
    model = classifier(cell=cell, bidirectional=False, max_length=100)
    trace, stream = model.trace("abcabc"), model.stream()
    assert (trace.beliefs[0] == stream.step("")).all()
    for character, beliefs in zip("abcabc", trace.beliefs[1:-1], strict=True):
        assert (stream.step(character) == beliefs).all()


def test_a_classifier_of_sequences_believes_after_a_frame_what_it_says_of_the_steps_so_far():
    model = elman.load(MODELS / "sequence_classifier_1")
    sequence, size = np.array(SAID["sequence_classifier_1"]["sequences"][0]), model.settings.frame_size
    trace = model.trace(sequence)
    for frame, beliefs in enumerate(trace.beliefs):
        assert (model.predict_proba([sequence[: (frame + 1) * size]])[0] == beliefs).all()
    assert trace.states.shape[0] == len(trace.read) == len(trace.signal) == -(-len(sequence) // size)
    np.testing.assert_allclose(trace.signal[0], np.nanmean(sequence[:size].reshape(-1, len(model.channels)), axis=0))


def test_a_tagger_believes_of_each_token_what_it_says_of_the_sentence():
    model = elman.load(MODELS / "sequence_tagger_1")
    (sentence, *_) = SAID["sequence_tagger_1"]["sentences"]
    trace = model.trace(sentence)
    assert (trace.beliefs == model.predict_proba([sentence])[0]).all()
    assert [[trace.outcomes[place] for place in trace.taken]] == model.predict([sentence])
    assert model.trace(" ".join(sentence)).read == [token.text for token in model.split(" ".join(sentence))]
    with pytest.raises(InputError, match="sentence: expected one token or more, got none"):
        model.trace(" ")


def test_a_language_model_believes_what_its_stream_says_comes_next():
    model = elman.load(MODELS / "language_model_1")
    text = SAID["language_model_1"]["text"][:20] + "\ue000"
    trace, stream = model.trace(text), model.stream()
    assert trace.read[1:] == list(text)
    for token, beliefs in zip(["", *text], trace.beliefs, strict=True):
        assert (stream.step(token) == beliefs).all()
    said = np.log2(trace.beliefs[np.arange(len(text)), trace.taken[:-1]])
    measure = model.measure([text])
    assert -said.sum() == pytest.approx(measure.bits - measure.spelling, rel=1e-5)
    assert (trace.taken[-1], bool(trace.known[-1]), (~trace.known).sum()) == (-1, False, measure.unknown)


def test_a_forecaster_believes_after_a_step_what_it_forecasts_there():
    model = elman.load(MODELS / "forecaster_1")
    trace, settings = model.trace(), model.settings
    assert len(trace.read) == settings.steps - settings.reach + 1
    assert trace.expected.unseen == len(trace.read)  # all of it was trained on
    for step in (0, len(trace.read) // 2, len(trace.read) - 1):
        end = settings.reach + step
        forecast = model.forecast(history=model.series.values[:end], times=[settings.grid.label(i) for i in range(end)])
        assert (forecast.values == trace.beliefs[step]).all()
        assert (forecast.lower == trace.expected.lower[step]).all()
        assert (forecast.upper == trace.expected.upper[step]).all()
        assert trace.expected.times[step + 1 :][: settings.horizon] == forecast.times
    np.testing.assert_array_equal(trace.signal, model.series.values[settings.reach - 1 :])


def test_a_series_that_goes_on_is_marked_where_training_ended():
    model = elman.load(MODELS / "forecaster_1")
    known = model.series.values
    trace = model.trace(np.concatenate([known, known[:5]]))
    assert trace.expected.unseen == len(trace.read) - 5
    assert trace.read == model.trace(known).read + trace.expected.times[len(trace.read) - 5 : len(trace.read)]


TRACED = {
    "text classifier": lambda: classifier(layers=2).trace(TEXT),
    "sequence classifier": lambda: elman.load(MODELS / "sequence_classifier_1").trace(
        SAID["sequence_classifier_1"]["sequences"][0]
    ),
    "sequence tagger": lambda: elman.load(MODELS / "sequence_tagger_1").trace(TEXT),
    "language model": lambda: elman.load(MODELS / "language_model_1").trace(TEXT),
    "forecaster": lambda: elman.load(MODELS / "forecaster_1").trace(),
}


def of_page(page):
    """What the script of a page reads."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def unpacked(text, dtype, shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


@pytest.mark.parametrize("kind", TRACED)
def test_a_page_holds_what_the_model_said(kind):
    trace = TRACED[kind]()
    data = of_page(trace.to_html())
    assert (data["kind"], data["read"], data["readers"]) == (kind, trace.read, trace.readers)
    states = unpacked(data["states"], "<i2", trace.states.shape) / 32767 * data["scale"]
    np.testing.assert_allclose(states, trace.states, atol=2e-5)
    for orders in data["orders"].values():
        assert all(sorted(order) == list(range(data["units"])) for layer in orders for order in layer)
    if kind == "language model":
        top = np.array(data["top"])
        beliefs = unpacked(data["beliefs"], "<f4", top.shape)
        assert (beliefs == np.sort(trace.beliefs, 1)[:, : -top.shape[1] - 1 : -1]).all()
        names = [[data["outcomes"][place] for place in row] for row in top.tolist()]
        assert names[0] == [trace.outcomes[place] for place in np.argsort(-trace.beliefs[0], kind="stable")[:10]]
        came = unpacked(data["came"], "<f4", len(trace.read))
        assert (came[:-1] == trace.beliefs[np.arange(len(came) - 1), trace.taken[:-1]]).all()
        return
    assert (unpacked(data["beliefs"], "<f4", trace.beliefs.shape) == trace.beliefs.astype("f")).all()
    assert data["outcomes"] == trace.outcomes


def test_no_text_ends_the_script_that_holds_it():
    trace = classifier().trace(TEXT)
    page = trace.to_html("<&\ud800>")
    assert "<title>&lt;&amp;&#55296;&gt;</title>" in page
    assert page.count("</script>") == 2
    assert of_page(page)["read"] == trace.read
    page.encode("utf-8")
    assert not re.search(r"""(src|href)\s*=|https?:""", page)  # nothing is fetched


def test_states_that_are_no_numbers_are_shown_as_none():
    model = classifier(bidirectional=False)
    tensors = model.tensors() | {"embedding.weight": np.full_like(model.embedding, np.nan)}
    trace = elman.runtime.TextClassifier(model.settings, tensors, model.vocabularies).trace("ab")
    data = page_data(trace)
    assert (unpacked(data["states"], "<i2", trace.states.shape) == -32768).all()
    trace.to_html()


def test_a_page_takes_no_files_place_unless_told_to(tmp_path):
    trace = classifier().trace("ab")
    trace.save_html(tmp_path / "page.html", "a title")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == trace.to_html("a title")
    with pytest.raises(InputError, match="expected a new file"):
        trace.save_html(tmp_path / "page.html")
    trace.save_html(tmp_path / "page.html", overwrite=True)
    assert "text classifier" in trace._repr_html_()
    assert repr(trace) == "Trace(text classifier: 4 steps, states (4, 1, 2, 8), beliefs (4, 3))"


def test_what_cannot_be_stepped_through_is_refused():
    for model in (classifier(), elman.load(MODELS / "language_model_1")):
        with pytest.raises(InputError, match="text: expected a string, got"):
            model.trace(3)
    message = f"text: expected at most {MOST_STEPS:,} steps to step through, got 10,001; take a part"
    with pytest.raises(InputError, match=re.escape(message)):
        elman.load(MODELS / "language_model_1").trace("a" * 10_001)
    with pytest.raises(InputError, match=re.escape("sentence[1]: expected a string, got int")):
        elman.load(MODELS / "sequence_tagger_1").trace(["a", 1])
    with pytest.raises(InputError, match="sequence: expected 2 channels, got 5"):
        elman.load(MODELS / "sequence_classifier_1").trace(np.zeros((4, 5)))
