"""The network that is trained and what runs it without PyTorch."""

import pytest
import torch

from elman.tasks._batching import pad
from elman.tasks._classifiers.network import TextNetwork
from tests.runtime.test_text_classifier import classifier


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_network_that_is_trained_has_the_same_bits(bidirectional):
    model = classifier(bidirectional=bidirectional, layers=2)
    sizes, tokens = model.settings.network, len(model.vocabulary)
    network = TextNetwork(sizes, tokens, 3, dropout=0.5, embedding_dropout=0.5, unknown_rate=0.5, engine="elman")
    network.load_state_dict({name: torch.tensor(array) for name, array in model.tensors().items()})
    network.eval()
    encoded = [model.encode(text) for text in ("abc", "", "我爱你", "a" * 50, "cab")]
    with torch.no_grad():
        assert (network(*pad(encoded)).numpy() == model.scores(encoded)).all()
