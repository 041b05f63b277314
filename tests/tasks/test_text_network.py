"""The network that is trained and what runs it without PyTorch."""

import pytest
import torch

from elman.tasks._batching import pad
from elman.tasks._classifiers.network import NGRAM_GAIN, TextNetwork
from elman.tasks._layers import trained_tensors
from tests.runtime.test_text_classifier import classifier


@pytest.mark.parametrize(("bidirectional", "ngram"), [(False, 1), (False, 2), (True, 4)])
def test_the_network_that_is_trained_has_the_same_bits(bidirectional, ngram):
    model = classifier(bidirectional=bidirectional, layers=2, ngram=ngram)
    tensors = {name: torch.tensor(array) for name, array in model.tensors().items()}
    if ngram > 1:
        tensors["ngrams.weight"] /= NGRAM_GAIN
    shares = {"dropout": 0.5, "embedding_dropout": 0.5, "unknown_rate": 0.5}
    network = TextNetwork(model.settings.network, len(model.vocabulary), 3, **shares, engine="elman")
    network.load_state_dict(tensors)
    network.eval()
    encoded = [model.encode(text) for text in ("abc", "", "我爱你", "a" * 50, "cab")]
    with torch.no_grad():
        assert (network(*pad(encoded)).numpy() == model.scores(encoded)).all()
    for name, array in trained_tensors(network).items():
        assert (array == model.tensors()[name]).all(), name
