"""Sizes whose product is more than a number or a memory holds, of expanded tensors that are small themselves."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence

from elman.nn import GRU, LSTM, RNN, GRUCell, Linear, LSTMCell, RNNCell

X = torch.zeros(1, 1, 4)
REFUSED = r"overflow|allocate memory"  # PyTorch's own words
SHAPES = [(2**40, 2**20, 4), (2**20, 2**40, 4), (2**30, 2**15, 4), (1, 2**60, 4), (2**60, 1, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_an_expanded_input_whose_output_no_memory_holds_is_refused(kind, shape, grad, bidirectional):
    layer = kind(4, 3, 2, bidirectional=bidirectional)
    with torch.set_grad_enabled(grad), pytest.raises(RuntimeError, match=REFUSED):
        layer(X.expand(shape))


@pytest.mark.parametrize("layer", [RNNCell(4, 3), GRUCell(4, 3), LSTMCell(4, 3), Linear(4, 3)])
@pytest.mark.parametrize("rows", [2**60, 2**45])
def test_expanded_rows_are_refused_by_cell_and_linear_layer(layer, rows):
    with pytest.raises(RuntimeError, match=REFUSED):
        layer(X[0].expand(rows, 4))


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
def test_expanded_packed_rows_are_refused(kind):
    packed = PackedSequence(X[0].expand(2**60, 4), torch.tensor([2**59, 2**59]))
    with pytest.raises(RuntimeError, match=REFUSED):
        kind(4, 3)(packed)


def test_an_expanded_input_without_features_counts_its_rows_right():
    layer = RNN(1, 3)
    layer.input_size, layer.weight_ih_l0 = 0, torch.nn.Parameter(torch.zeros(3, 0))
    with pytest.raises(RuntimeError, match=REFUSED):
        layer(torch.zeros(1, 1, 0).expand(2**40, 2**40, 0))
