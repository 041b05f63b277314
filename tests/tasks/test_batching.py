import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from elman.tasks._batching import batches_by_length, pad, shuffled_batches
from elman.tasks._splitting import stratified_split

lengths = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(lengths, st.integers(1, 30), st.integers(0, 5))
def test_every_sequence_is_in_one_batch(lengths, batch_size, epoch):
    for batches in (batches_by_length(lengths, batch_size), shuffled_batches(lengths, batch_size, 0, epoch)):
        assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
        assert max(map(len, batches)) <= batch_size


def test_batches_differ_between_epochs_and_are_a_function_of_seed_and_epoch():
    lengths = [1, 2, 3, 4] * 10
    assert shuffled_batches(lengths, 4, 0, 1) != shuffled_batches(lengths, 4, 0, 2)
    assert shuffled_batches(lengths, 4, 0, 1) == shuffled_batches(lengths, 4, 0, 1)


def test_sequences_are_padded():
    padded, lengths = pad([[2, 3], [2, 7, 3]])
    assert padded.tolist() == [[2, 3, 0], [2, 7, 3]]
    assert lengths.tolist() == [2, 3]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=100), st.floats(0, 0.9))
def test_a_split_keeps_every_class_in_training(labels, fraction):
    training, validation, rare = stratified_split(np.array(labels), fraction, 0)
    assert sorted(training + validation) == list(range(len(labels)))
    assert {labels[i] for i in training} == set(labels)
    if fraction:
        assert {labels[i] for i in validation} | set(rare) == set(labels)
