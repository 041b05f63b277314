"""``elman.nn.convert``: the layers inside a model become ours, and PyTorch's again, where they stand."""

import abc
import copy
import io
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import assert_same_numbers


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 4, num_layers=2, batch_first=True, dropout=0.5)
        self.cells = nn.ModuleList([nn.RNNCell(4, 4)])
        self.head = nn.Linear(4, 2)

    def forward(self, input: Tensor) -> Tensor:
        output, _ = self.rnn(input)
        return self.head(self.cells[0](output[:, -1]))


class Named(nn.RNN):
    def size(self) -> int:
        return self.hidden_size


class Overriding(nn.RNN):
    def forward(self, *args: Any) -> Any:
        return nn.RNN.forward(self, *args)


class Doubling(abc.ABC, nn.RNNBase):
    @torch.no_grad()
    def forward(self, input: Tensor, hx: Any = None) -> Any:
        output, states = super().forward(input, hx=hx)
        return 2 * output, states


class DoubledLSTM(Doubling, nn.LSTM):  # as pytorch-forecasting's
    pass


class Checking(nn.RNN):
    def check_forward_args(self, *args: Any) -> None:
        raise ValueError("refused")


X = torch.arange(30.0).reshape(2, 5, 3).cos()


def test_the_layers_become_ours_and_pytorchs_again() -> None:
    model = Model().eval()
    before, expected = dict(model.named_modules()), model(X)
    assert elman.nn.convert(model) is model
    assert [type(m) for m in (model.rnn, model.cells[0], model.head)] == [elman.nn.RNN, elman.nn.RNNCell, nn.Linear]
    assert dict(model.named_modules()) == before
    assert_same_numbers({"o": model(X)}, {"o": expected})
    elman.nn.convert(model, linear=True)
    assert type(model.head) is elman.nn.Linear
    assert_same_numbers({"o": model(X)}, {"o": expected})
    elman.nn.convert(elman.nn.convert(model), back=True)
    assert [type(m) for m in (model.rnn, model.cells[0], model.head)] == [nn.RNN, nn.RNNCell, nn.Linear]
    assert torch.equal(model(X), expected)


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_single_layer_is_converted_itself_and_back(kind: str) -> None:
    layer = getattr(nn, kind)(3, 4)
    x = X[0]
    expected = named(layer(x))
    assert elman.nn.convert(layer) is layer
    assert type(layer) is getattr(elman.nn, kind)
    assert_same_numbers(named(layer(x)), expected)
    elman.nn.convert(layer, back=True)
    assert type(layer) is getattr(nn, kind)
    for name, tensor in named(layer(x)).items():
        assert torch.equal(tensor, expected[name])


def named(found: Any) -> dict[str, Tensor]:
    return {str(i): x for i, x in enumerate(torch.utils._pytree.tree_leaves(found))}


def test_an_lstm_with_its_own_way_to_check_sizes_is_left() -> None:
    class Own(nn.LSTM):
        def get_expected_cell_size(self, *args: Any) -> Any:
            return super().get_expected_cell_size(*args)

    with pytest.warns(UserWarning, match="Own has its own get_expected_cell_size"):
        elman.nn.convert(Own(3, 4))


def test_an_optimizer_goes_on_and_hooks_flags_and_pruning_stay() -> None:
    model = Model()
    optimizer = torch.optim.Adam(model.parameters())
    calls = []
    model.rnn.register_forward_hook(lambda *_: calls.append("forward"))
    model.rnn.register_full_backward_hook(lambda *_: calls.append("backward"))
    model.rnn.weight_ih_l0.requires_grad_(False)
    model.rnn.register_buffer("scale", torch.ones(1))
    prune.l1_unstructured(model.rnn, "weight_hh_l1", 0.5)
    model.cells.eval()
    state, parameters = copy.deepcopy(model.state_dict()), list(model.parameters())
    elman.nn.convert(model)
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert_same_numbers(model.state_dict(), state)
    assert model.rnn.training
    assert not model.cells[0].training
    model(X.clone().requires_grad_()).sum().backward()
    optimizer.step()
    assert calls == ["forward", "backward"]
    assert model.rnn.weight_ih_l0.grad is None
    assert not torch.equal(model.state_dict()["rnn.weight_hh_l0"], state["rnn.weight_hh_l0"])
    assert (model.rnn.weight_hh_l1 == 0).sum() == 8


@pytest.mark.parametrize("copied", [False, True])
def test_parametrizations_stay_and_can_be_removed(copied: bool) -> None:
    layer = nn.RNN(3, 4)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    other = copy.deepcopy(layer)  # PyTorch gives both the one class
    elman.nn.convert(layer)
    layer = copy.deepcopy(layer) if copied else layer
    expected = other(X)[0]
    assert isinstance(layer, elman.nn.RNN)
    assert not isinstance(other, elman.nn.RNN)
    assert_same_numbers({"o": layer(X)[0]}, {"o": expected})
    layer.parametrizations.weight_hh_l0.original0.data.mul_(2)
    assert not torch.allclose(layer(X)[0], expected)
    layer.parametrizations.weight_hh_l0.original0.data.div_(2)
    elman.nn.convert(layer, back=True)
    assert not isinstance(layer, elman.nn.RNN)
    assert torch.equal(layer(X)[0], expected)
    elman.nn.convert(layer)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is elman.nn.RNN
    assert_same_numbers({"o": layer(X)[0]}, {"o": expected})


def test_a_module_at_two_places_stays_one() -> None:
    layer = nn.RNNCell(3, 3)
    model = elman.nn.convert(nn.Sequential(layer, nn.Sequential(layer)))
    assert model[0] is model[1][0] is layer
    assert type(layer) is elman.nn.RNNCell


def test_subclasses_with_a_forward_of_their_own_are_left_and_named() -> None:
    model = nn.ModuleDict({"a": Overriding(3, 4), "b": Checking(3, 4), "c": nn.RNN(3, 4), "d": elman.nn.RNN(3, 4)})
    with pytest.warns(UserWarning, match="left as they are") as caught:
        elman.nn.convert(model)
    assert [str(w.message) for w in caught] == [
        "elman.nn.convert left as they are: a (Overriding has its own forward), "
        "b (Checking has its own check_forward_args)"
    ]
    assert caught[0].filename == __file__
    assert [type(m) for m in model.values()] == [Overriding, Checking, elman.nn.RNN, elman.nn.RNN]
    with pytest.warns(UserWarning, match=r"the model itself \(Overriding has its own forward\)"):
        elman.nn.convert(Overriding(3, 4))


def test_a_forward_that_calls_supers_calls_ours() -> None:
    layer = DoubledLSTM(3, 4)
    expected = named(layer(X[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elman.nn.convert(layer)
    for one in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert isinstance(one, DoubledLSTM)
        assert isinstance(one, elman.nn.LSTM)
        inner = elman.nn.LSTM.forward(one, X[0])
        assert torch.equal(one(X[0])[0], 2 * inner[0])
        assert_same_numbers(named(one(X[0])), expected)
        assert type(elman.nn.convert(one, back=True)) is DoubledLSTM
        assert torch.equal(one(X[0])[0], expected["0"])


def test_other_subclasses_keep_their_methods_copies_and_pickles() -> None:
    layer = Named(3, 4)
    expected = layer(X)[0]
    elman.nn.convert(layer)
    ours = layer(X)[0]
    assert not torch.equal(ours, expected)  # to the bit
    for one in (layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert isinstance(one, Named)
        assert isinstance(one, elman.nn.RNN)
        assert repr(one) == "Named(3, 4)"
        assert one.size() == 4
        assert torch.equal(one(X)[0], ours)
        elman.nn.convert(one, back=True)
        assert type(one) is Named
        assert torch.equal(one(X)[0], expected)


def test_subclasses_of_ours_stay_ours_and_are_named_on_the_way_back() -> None:
    class Mine(elman.nn.RNN):
        pass

    model = nn.Sequential(Mine(3, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elman.nn.convert(model)
    with pytest.warns(UserWarning, match=r"0 \(Mine is derived from elman.nn.RNN\)"):
        elman.nn.convert(model, back=True)


def test_what_is_wrapped_is_converted_inside_and_what_is_compiled_by_torchscript_named() -> None:
    wrapped = elman.nn.convert(nn.DataParallel(Model()))
    assert type(wrapped.module.rnn) is elman.nn.RNN
    traced = torch.fx.symbolic_trace(Model())
    assert type(elman.nn.convert(traced).rnn) is elman.nn.RNN
    compiled = torch.compile(Model(), backend="eager")
    assert type(elman.nn.convert(compiled).rnn) is elman.nn.RNN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = nn.Sequential(torch.jit.script(nn.RNN(3, 4)))
    with pytest.warns(UserWarning, match=r"0 \(compiled by TorchScript\)"):
        elman.nn.convert(scripted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elman.nn.convert(scripted, back=True)


def test_a_model_that_torchscript_compiled_becomes_ours_again() -> None:
    model = nn.Sequential(elman.nn.RNN(3, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(model)
    assert type(model[0]) is nn.RNN  # PyTorch leaves there what it compiled
    assert type(elman.nn.convert(model)[0]) is elman.nn.RNN


def test_a_parametrized_subclass_keeps_both() -> None:
    layer = Named(3, 4)
    parametrizations.orthogonal(layer, "weight_hh_l0")
    expected = layer(X)[0]
    elman.nn.convert(layer)
    assert isinstance(layer, elman.nn.RNN)
    assert layer.size() == 4
    assert_same_numbers({"o": layer(X)[0]}, {"o": expected})
    with pytest.raises(RuntimeError, match="Serialization of parametrized modules"):
        pickle.dumps(layer)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert isinstance(layer, elman.nn.RNN)
    pickle.loads(pickle.dumps(layer))
    assert type(elman.nn.convert(layer, back=True)) is Named


def test_a_lazy_layer_is_left_until_it_has_seen_its_input() -> None:
    model = nn.Sequential(nn.LazyLinear(4))
    with pytest.warns(UserWarning, match=r"0 \(LazyLinear has seen no input yet\)"):
        elman.nn.convert(model, linear=True)
    model(X)
    assert type(elman.nn.convert(model, linear=True)[0]) is elman.nn.Linear


def test_a_converted_model_is_saved_whole_and_as_a_state_dict() -> None:
    model = elman.nn.convert(Model().eval())
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert type(loaded.rnn) is elman.nn.RNN
    assert torch.equal(loaded(X), model(X))
    Model().load_state_dict(model.state_dict())


@pytest.mark.parametrize("model", [5, nn.RNN, None])
def test_what_is_no_module_is_refused(model: Any) -> None:
    with pytest.raises(TypeError, match=r"^model: expected a torch.nn.Module, got (int|type|NoneType)$"):
        elman.nn.convert(model)
