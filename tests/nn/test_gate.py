"""Whatever is done to a layer that has run, or to its inputs: the engine is handed nothing that does not fit."""

import re
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.utils import parametrize, prune
from torch.nn.utils.rnn import pack_padded_sequence

import elman.nn
from elman import _gate
from tests.nn.cases import outcome, output_of

KINDS = ["RNN", "RNN of two layers", "RNNCell", "GRU", "GRUCell", "LSTM of two layers", "LSTMCell"]


def made(nn: ModuleType, kind: str) -> tuple[Any, Tensor, Any]:
    torch.manual_seed(3)
    name, layers = kind.split()[0], 2 if "two" in kind else 1
    if name.endswith("Cell"):
        layer, input, state = getattr(nn, name)(3, 5), torch.randn(2, 3), torch.randn(2, 5)
    else:
        layer, input, state = getattr(nn, name)(3, 5, layers), torch.randn(4, 2, 3), torch.randn(layers, 2, 5)
    return layer, input, (state, state * 0.5) if name.startswith("LSTM") else state


def weight(layer: Any, name: str = "weight_hh") -> str:
    return name if isinstance(layer, torch.nn.RNNCellBase) else f"{name}_l0"


def rows(layer: Any) -> int:
    """Those of every weight: the gates' hidden units."""
    return len(layer._parameters[weight(layer)])


def other_data(value: Callable[[int], Tensor], name: str = "weight_hh") -> Callable[[Any], None]:
    def change(layer: Any) -> None:
        getattr(layer, weight(layer, name)).data = value(rows(layer))

    return change


def registered(value: Callable[[int], Any]) -> Callable[[Any], None]:
    return lambda layer: setattr(layer, weight(layer), value(rows(layer)))


def swapped_behind(value: Callable[[int], Any]) -> Callable[[Any], None]:
    return lambda layer: layer._parameters.__setitem__(weight(layer), value(rows(layer)))


def attribute(name: str, value: Any) -> Callable[[Any], None]:
    return lambda layer: setattr(layer, name, value)


class Own(Parameter):
    pass


class Halved(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 2


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9))


def shrink_storage(layer: Any) -> None:
    getattr(layer, weight(layer)).untyped_storage().resize_(0)


def through_numpy(layer: Any) -> None:
    getattr(layer, weight(layer)).detach().numpy()[...] *= 2


def tied(layer: Any) -> None:
    setattr(layer, weight(layer, "bias_hh"), getattr(layer, weight(layer, "bias_ih")))


def frozen_in_part(layer: Any) -> None:
    getattr(layer, weight(layer)).requires_grad_(False)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "other data": other_data(lambda n: normal(n, 5)),
    "smaller data": other_data(lambda n: normal(2, 2)),
    "larger data": other_data(lambda n: normal(50, 50)),
    "data of fewer dimensions": other_data(lambda n: normal(5 * n)),
    "no data": other_data(lambda n: torch.empty(0)),
    "float64 data": other_data(lambda n: normal(n, 5).double()),
    "float16 data": other_data(lambda n: normal(n, 5).half()),
    "transposed data": other_data(lambda n: normal(5, n).t()),
    "every other number": other_data(lambda n: normal(n, 10)[:, ::2]),
    "expanded data": other_data(lambda n: normal(n, 1).expand(n, 5)),
    "negated data": other_data(lambda n: torch._neg_view(normal(n, 5))),
    "an imaginary part": other_data(lambda n: torch.complex(normal(n, 5), normal(n, 5)).conj().imag),
    "shorter biases": other_data(lambda n: normal(2), "bias_ih"),
    "negated biases": other_data(lambda n: torch._neg_view(normal(n)), "bias_hh"),
    "narrower input weights": other_data(lambda n: normal(n, 2), "weight_ih"),
    "freed storage": shrink_storage,
    "written through NumPy": through_numpy,
    "another parameter": registered(lambda n: Parameter(normal(n, 5))),
    "a smaller parameter": registered(lambda n: Parameter(normal(2, 2))),
    "a parameter of float64": registered(lambda n: Parameter(normal(n, 5).double())),
    "a sparse parameter": registered(lambda n: Parameter(normal(n, 5).to_sparse())),
    "a parameter of zeros without memory": registered(lambda n: Parameter(torch._efficientzerotensor((n, 5)))),
    "a parameter of its own class": registered(lambda n: Own(normal(n, 5))),
    "another parameter behind the layer's back": swapped_behind(lambda n: Parameter(normal(n, 5))),
    "a tensor behind the layer's back": swapped_behind(lambda n: normal(n, 5)),
    "a smaller tensor behind the layer's back": swapped_behind(lambda n: normal(2, 2)),
    "tied biases": tied,
    "frozen": lambda layer: layer.requires_grad_(False),
    "frozen in part": frozen_in_part,
    "to float64": lambda layer: layer.double(),
    "to float64 and back": lambda layer: layer.double().float(),
    "parametrized": lambda layer: parametrize.register_parametrization(layer, weight(layer), Halved()),
    "pruned": lambda layer: prune.l1_unstructured(layer, weight(layer), amount=0.5),
    "another hidden_size": attribute("hidden_size", 6),
    "another input_size": attribute("input_size", 2),
    "an input_size of NumPy": attribute("input_size", np.int64(3)),
    "a broken input_size": attribute("input_size", 3.0),
    "a hidden_size that is none": attribute("hidden_size", None),
    "said to have no biases": attribute("bias", False),
    "another nonlinearity": lambda layer: setattr(layer, *_relu(layer)),
    "an unknown nonlinearity": lambda layer: setattr(layer, _relu(layer)[0], "softsign"),
}


def _relu(layer: Any) -> tuple[str, str]:
    return ("nonlinearity", "relu") if isinstance(layer, torch.nn.RNNCellBase) else ("mode", "RNN_RELU")


# Where PyTorch's float32 LSTM reads memory as if the weights were plain and of the right sizes: see the next test.
NOT_SEEN_BY_ONEDNN = {name for name in CHANGES if "negated" in name or "imaginary" in name or "without memory" in name}
NOT_SEEN_BY_ONEDNN |= {"freed storage"}
OF_OTHER_SIZES = {
    name for name in CHANGES if re.match("smaller|larger|a smaller|data of fewer|no data|shorter|narrow", name)
}
OF_OTHER_SIZES |= {"another hidden_size", "said to have no biases"}


@pytest.mark.parametrize("how", ["inference", pytest.param("no gradients", marks=pytest.mark.slow), "gradients"])
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param(kind, change, id=f"{kind}, {name}")
        for kind in KINDS
        for name, change in CHANGES.items()
        if kind != "LSTM of two layers" or name not in NOT_SEEN_BY_ONEDNN | OF_OTHER_SIZES
    ],
)
def test_a_layer_that_has_run_and_is_changed_gives_what_it_gives_with_torch(
    kind: str, change: Callable[[Any], Any], how: str
) -> None:
    def call(nn: ModuleType) -> Any:
        layer, input, state = made(nn, kind)
        layer(input), layer(input, state)
        change(layer)
        if how == "gradients":
            output = output_of(layer(input, state))
            learning = [p for p in layer.parameters() if p.requires_grad]
            return output, *(torch.autograd.grad(output.square().sum(), learning) if learning else ())
        with torch.no_grad() if how == "no gradients" else torch.inference_mode():
            return layer(input), layer(input, state)

    ours, theirs = (outcome(call, nn)[0] for nn in (elman.nn, torch.nn))
    assert ours == theirs


@pytest.mark.parametrize("name", sorted(OF_OTHER_SIZES))
def test_weights_of_other_sizes_are_refused_where_pytorchs_lstm_would_read_past_their_ends(name: str) -> None:
    layer, input, state = made(elman.nn, "LSTM of two layers")
    CHANGES[name](layer)
    for hx in (None, state):
        with pytest.raises(RuntimeError, match=r"(?i)expected"):
            layer(input, hx)


@pytest.mark.parametrize("name", sorted(OF_OTHER_SIZES))
def test_weights_of_other_sizes_are_answered_as_by_torch_in_float64(name: str) -> None:
    def call(nn: ModuleType) -> Any:
        layer, input, state = made(nn, "LSTM of two layers")
        CHANGES[name](layer.double())
        layer.double()
        return layer(input.double(), tuple(x.double() for x in state))

    ours, theirs = (outcome(call, nn)[0] for nn in (elman.nn, torch.nn))
    assert ours == theirs


RNN_CHANGES = {
    "fewer layers": attribute("num_layers", 1),
    "more layers": attribute("num_layers", 3),
    "bidirectional": attribute("bidirectional", True),
    "no biases": attribute("bias", False),
}


@pytest.mark.parametrize("change", RNN_CHANGES.values(), ids=RNN_CHANGES)
def test_sizes_that_do_not_fit_the_weights_are_never_taken(change: Callable[[Any], None]) -> None:
    layer, input, _ = made(elman.nn, "RNN of two layers")
    layer(input)
    change(layer)
    assert layer._admitted_weights(input, None, None) is None


def test_names_that_do_not_fit_the_weights_are_never_taken() -> None:
    layer, input, _ = made(elman.nn, "RNN of two layers")
    layer._flat_weights_names = layer._flat_weights_names[:4]
    layer._flat_weights = layer._flat_weights[:4]
    layer._flat_weight_refs = layer._flat_weight_refs[:4]
    assert layer._admitted_weights(input, None, None) is None


def outlived(transform: Callable[..., Any]) -> Callable[[Tensor], Tensor]:
    def wrapper(x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        transform(lambda y: (kept.append(y), y.sum())[1])(x)
        return kept[0]

    return wrapper


def zeros_without_memory(x: Tensor) -> Tensor:
    return torch._efficientzerotensor(x.shape)


INPUTS: dict[str, Callable[[Tensor], Any]] = {
    "as it is": lambda x: x,
    "negated": torch._neg_view,
    "of zeros without memory": zeros_without_memory,
    "expanded": lambda x: x[:1].expand(x.shape),
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "from a gradient that is over": outlived(torch.func.grad),
    "a parameter": Parameter,
    "of its own class": lambda x: Own(x),
    "float64": lambda x: x.double(),
    "sparse": lambda x: x.to_sparse(),
    "for MKL-DNN": lambda x: x.to_mkldnn(),
    "on meta": lambda x: x.to("meta"),
    "an inference tensor": lambda x: torch.inference_mode()(lambda: x * 1)(),
}


@pytest.mark.parametrize("target", ["input", "state"])
@pytest.mark.parametrize("change", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_every_sort_give_what_they_give_with_torch(
    kind: str, change: Callable[[Tensor], Any], target: str
) -> None:
    if kind.startswith("LSTM of") and change is zeros_without_memory:
        pytest.skip("PyTorch's LSTM reads memory that is not there")

    def call(nn: ModuleType) -> Any:
        layer, input, state = made(nn, kind)
        with torch.no_grad():
            layer(input, state)
            if target == "input":
                return layer(change(input), state)
            if isinstance(state, tuple):
                return layer(input, (change(state[0]), state[1])), layer(input, (state[0], change(state[1])))
            return layer(input, change(state))

    ours, theirs = (outcome(call, nn)[0] for nn in (elman.nn, torch.nn))
    assert ours == theirs


def test_a_functional_tensor_is_not_plain() -> None:
    for shape in ((4, 2, 3), (4, 0, 3)):
        wrapped = torch._to_functional_tensor(torch.zeros(shape))
        assert not _gate.is_plain(wrapped) or not wrapped.numel()


def test_nothing_is_kept_of_a_call() -> None:
    layer, input, state = made(elman.nn, "RNN")
    output, h_n = layer(input, state)
    (output.sum() + h_n.sum()).backward()
    gone = [weakref.ref(tensor) for tensor in (layer.weight_hh_l0, input, state, output, h_n)]
    del layer, input, state, output, h_n
    assert [ref() for ref in gone] == [None] * 5


@pytest.mark.parametrize("bias", [torch.zeros(2), torch.zeros(5), torch.zeros(5).double()], ids=str)
def test_an_output_is_computed_again_whatever_a_bias_was_given(bias: Tensor) -> None:
    layer, input, _ = made(elman.nn, "RNN")
    loss = layer(input)[0].sum()
    right = torch.autograd.grad(loss, layer.weight_hh_l0)
    output, _ = layer(input)
    loss = output.sum()
    output.detach().zero_()
    layer.bias_ih_l0.data = bias
    assert torch.equal(torch.autograd.grad(loss, layer.weight_hh_l0)[0], right[0])


def test_weights_replaced_while_other_threads_call_are_the_old_or_the_new() -> None:
    layer, input, state = made(elman.nn, "RNN of two layers")
    packed = pack_padded_sequence(input, torch.tensor([4, 2]))
    choices = [Parameter(normal(5, 5) * scale) for scale in (1, 2)]
    right = []
    with torch.no_grad():
        for choice in choices:
            layer.weight_hh_l1 = choice
            right.append((layer(input, state)[0], layer(packed)[0].data))
    wrong: list[str] = []
    over = threading.Event()

    def call() -> None:
        with torch.no_grad():
            while not over.is_set():
                found = layer(input, state)[0], layer(packed)[0].data
                for place in (0, 1):
                    if not any(torch.equal(found[place], each[place]) for each in right):
                        wrong.append("neither")

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(2000):
        layer.weight_hh_l1 = choices[turn % 2]
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
