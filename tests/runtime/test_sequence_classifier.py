"""A trained classifier of sequences without PyTorch: the same bits alone, in any batch, by any number of threads."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman import InputError
from elman._cells import FAMILIES
from elman.runtime._classifiers.base import READING_BATCH
from elman.runtime._classifiers.convolutions import KERNELS, Convolutions, ConvolutionSizes
from elman.runtime._classifiers.sequence_settings import SequenceSettings
from elman.runtime._classifiers.settings import ClassifierSizes
from tests.runtime.networks import recurrent_parameters


def classifier(
    *, cell="rnn", frame_size=1, flagged=(), bidirectional=True, layers=1, mean=(0.0, 10.0), scale=(1.0, 5.0)
):
    network = ClassifierSizes(cell=cell, hidden_size=8, layers=layers, bidirectional=bidirectional)
    convolutions = ConvolutionSizes([1, 2], 3)
    given = SequenceSettings(["x", "y", "z"], ["a", "b"], list(flagged), frame_size, network, {}, convolutions)
    generator, features = np.random.default_rng(0), 24 * (1 + bidirectional)
    tensors = {
        "mean": np.array(mean),
        "scale": np.array(scale),
        **recurrent_parameters(network, given.input_size),
        "output.weight": generator.standard_normal((3, features)).astype("f"),
        "output.bias": generator.standard_normal(3).astype("f"),
        **{
            name: generator.standard_normal(shape).astype("f")
            for name, shape in convolutions.shapes(given.step_size, 3).items()
        },
    }
    return elman.runtime.SequenceClassifier(given, tensors)


def draw(lengths, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.normal([0, 10], [1, 5], (length, 2)) for length in lengths]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=2 * READING_BATCH + 3), st.integers(1, 7), st.booleans(),
    st.sampled_from([1, 2]), st.sampled_from([*FAMILIES]),
)  # fmt: skip
def test_a_sequence_has_the_same_bits_alone_and_in_any_batch(lengths, frame_size, bidirectional, threads, cell):
    model, sequences = (
        classifier(cell=cell, frame_size=frame_size, bidirectional=bidirectional, layers=2),
        draw(lengths),
    )
    before = elman.get_num_threads()
    elman.set_num_threads(threads)
    try:
        together = model.predict_proba(sequences)
    finally:
        elman.set_num_threads(before)
    assert together.dtype == np.float32
    for sequence, row in list(zip(sequences, together, strict=True))[:10]:
        assert (model.predict_proba([sequence])[0] == row).all()
    assert (model.predict(sequences) == model.classes[together.argmax(1)]).all()


def test_steps_are_standardised_flagged_where_missing_and_gathered_in_frames():
    model = classifier(frame_size=2, flagged=[1])
    sequence = np.array([[1.0, 15.0], [-2.0, np.nan], [1e9, 10.0]])
    assert model.encode(sequence).tolist() == [[1, 1, 0, -2, 0, 1], [100, 0, 0, 0, 0, 0]]


def test_shares_are_those_of_convolutions_written_out():
    generator = np.random.default_rng(1)
    channels, thresholds = generator.integers(0, 2, (168, 2)).astype("f"), generator.normal(size=(168, 3)).astype("f")
    sequence = generator.integers(-9, 9, (7, 2)).astype("f")
    padded = np.pad(sequence, ((12, 12), (0, 0)))
    expected = [
        sum(
            KERNELS[number % 84, tap] * (padded[12 + step + (tap - 4) * dilation] @ channels[number])
            for tap in range(9)
        )
        > thresholds[number, :, None]
        for number in range(168)
        for dilation in [(1, 3)[number // 84]]
        for step in [np.arange(7)]
    ]
    assert (
        Convolutions([1, 3], channels, thresholds).shares([sequence])[0] == np.float32(np.mean(expected, 2)).ravel()
    ).all()


def test_arrays_and_lists_say_the_same():
    model, sequences = classifier(), np.stack(draw([5, 5, 5]))
    expected = model.predict_proba(sequences)
    for same in (list(sequences), sequences.tolist(), sequences.astype(object), np.asfortranarray(sequences)):
        assert (model.predict_proba(same) == expected).all()
    ragged = np.empty(3, object)
    ragged[:] = list(sequences)
    assert (model.predict_proba(ragged) == expected).all()
    assert model.predict_proba([]).shape == (0, 3)


def test_it_is_pickled_and_described():
    model, sequences = classifier(frame_size=3), draw([4, 9])
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(sequences) == model.predict_proba(sequences)).all()
    described = "SequenceClassifier(3 classes, 2 channels, frames of 3, RNN(6, 8, bidirectional=True, float32))"
    assert repr(twin) == described


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 5e-324])
def test_a_scale_of_a_strangers_model_is_taken_as_it_is(scale):
    model = classifier(scale=(1.0, scale))
    assert model.predict_proba(draw([4])).shape == (1, 3)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ("abc", "X: expected an array or a list of sequences, got str"),
        (3, "X: expected an array or a list of sequences, got int"),
        (np.zeros(4), r"X: expected the shape \(examples, steps\[, channels\]\), got \(4,\)"),
        ([np.zeros((2, 3))], r"X\[0\]: expected 2 channels, got 3"),
        ([np.zeros((2, 2)), np.zeros(4)], r"X\[1\]: expected 2 channels, got 1"),
        ([np.zeros((2, 2)), np.zeros((0, 2))], r"X\[1\]: expected one step and one channel or more, got the shape"),
        ([np.zeros((2, 2)), [[1, 2], [3, np.inf]]], r"X\[1\], step 1, channel 1: expected a finite number or NaN"),
        ([np.zeros((2, 2)), "ab"], r"X\[1\]: expected real numbers"),
        ([np.zeros((2, 2)), [[1, 2], [3]]], r"X\[1\]: expected an array of numbers on the CPU"),
        (np.zeros((2, 2, 2), complex), "X: expected real numbers, got ndarray of dtype complex128"),
    ],
)
def test_what_is_no_sequence_is_refused(sequences, message):
    with pytest.raises(InputError, match=message):
        classifier().predict(sequences)
