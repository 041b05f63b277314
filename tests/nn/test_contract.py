"""What a program can see of the layers besides their numbers."""

import copy
import inspect
import io
import pickle
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import elman.nn
from elman.nn._pytorch import RECURRENT
from tests.nn.cases import Case, assert_same_bits, assert_same_numbers, outcome, output_of, states_of
from tests.strategies import cases

KINDS = [*RECURRENT]
LAYERS = [kind for kind in KINDS if not kind.endswith("Cell")]
each_layer = pytest.mark.parametrize("kind", LAYERS)


def call(layer: torch.nn.Module) -> Tensor:
    """The output for a fixed input of width 3, of a cell its state h."""
    generator = torch.Generator().manual_seed(11)
    steps = () if isinstance(layer, torch.nn.RNNCellBase) else (4,)
    return output_of(layer(torch.randn(*steps, 2, 3, generator=generator)))


def assert_the_same_and_more(ours: inspect.Signature, theirs: inspect.Signature) -> None:
    """Whatever is passed as ``theirs`` allows means the same; what is added is passed by name, and may be left out."""
    added = [parameter for name, parameter in ours.parameters.items() if name not in theirs.parameters]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in added)
    assert all(parameter.default is not parameter.empty for parameter in added)
    kept = [name for name in ours.parameters if name in theirs.parameters]
    assert kept == [*theirs.parameters]
    for name in kept:
        assert ours.parameters[name].default == theirs.parameters[name].default


def constructor_of(theirs: Any) -> inspect.Signature:
    """What a class of PyTorch's may be given; those of the layers take ``*args, **kwargs``, and hand them to a base."""
    if not issubclass(theirs, torch.nn.RNNBase):
        return inspect.signature(theirs.__init__)
    parameters = dict(inspect.signature(torch.nn.RNNBase.__init__).parameters)
    if theirs is not torch.nn.LSTM:
        del parameters["proj_size"]
    own = parameters.pop("mode")
    made = [*parameters.values()]
    if theirs is torch.nn.RNN:
        made.insert(4, own.replace(name="nonlinearity", default="tanh"))
    return inspect.Signature(made)


@pytest.mark.parametrize("kind", KINDS)
def test_the_classes_are_torchs(kind: str) -> None:
    ours, theirs = getattr(elman.nn, kind), getattr(torch.nn, kind)
    assert issubclass(ours, theirs)
    assert ours.__name__ == kind
    assert ours.__module__ == "elman.nn"
    # the device by name as well: torch.nn.utils.skip_init asks for that
    assert_the_same_and_more(inspect.signature(ours.__init__), constructor_of(theirs))
    assert_the_same_and_more(*(inspect.signature(cls.forward) for cls in (ours, theirs)))
    assert ours.__constants__ == theirs.__constants__
    assert set(KINDS) <= set(elman.nn.__all__)


@settings(max_examples=60)
@given(cases())
def test_equal_seeds_give_equal_bits_of_weights_under_equal_names(case: Case) -> None:
    ours, theirs = case.layer(elman.nn), case.layer(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert_same_bits(ours.state_dict(), theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert repr(ours) == repr(theirs)
    assert ours._flat_weights_names == theirs._flat_weights_names
    assert [[w.shape for w in ws] for ws in ours.all_weights] == [[w.shape for w in ws] for ws in theirs.all_weights]
    public = {k for k in vars(theirs) if not k.startswith("_")}
    assert {k: vars(ours)[k] for k in public} == {k: vars(theirs)[k] for k in public}


POSITIONAL = [
    ("RNN", (3, 4)),
    ("RNN", (3, 4, 2)),
    ("RNN", (3, 4, 2, "relu")),
    ("RNN", (3, 4, 2, "relu", False, True, 0.5, True)),
    ("GRU", (3, 4, 2)),
    ("GRU", (3, 4, 2, False, True, 0.5, True)),
    ("LSTM", (3, 4, 2)),
    ("LSTM", (3, 4, 2, False, True, 0.5, True)),
    ("LSTM", (3, 4, 2, False, True, 0.5, True, 2)),
]


@pytest.mark.parametrize(("kind", "args"), POSITIONAL)
def test_positional_arguments_mean_what_they_mean_to_torch(kind: str, args: tuple[Any, ...]) -> None:
    def made(nn: ModuleType) -> Any:
        return getattr(nn, kind)(*args)

    assert outcome(made, elman.nn) == outcome(made, torch.nn)
    layer = getattr(elman.nn, kind)(*args, device="meta", dtype=torch.float64)
    assert layer.weight_ih_l0.device.type == "meta"
    assert layer.weight_ih_l0.dtype is torch.float64


@pytest.mark.parametrize("args", [(3, 4), (3, 4, False), (3, 4, True, "relu"), (3, 4, True, "cpu", torch.float64)])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith("Cell")])
def test_a_cells_positional_arguments_mean_what_they_mean_to_torch(kind: str, args: tuple[Any, ...]) -> None:
    def made(nn: ModuleType) -> Any:
        return getattr(nn, kind)(*args)

    assert outcome(made, elman.nn) == outcome(made, torch.nn)


@each_layer
def test_reset_parameters_draws_what_torch_draws(kind: str) -> None:
    layers = [getattr(nn, kind)(3, 4, 2, bidirectional=True) for nn in (torch.nn, elman.nn)]
    for layer in layers:
        torch.manual_seed(9)
        layer.reset_parameters()
    assert_same_bits(layers[1].state_dict(), layers[0].state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_state_dicts_load_both_ways(kind: str) -> None:
    ours, theirs = getattr(elman.nn, kind)(3, 4), getattr(torch.nn, kind)(3, 4)
    assert str(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    assert_same_numbers({"o": call(ours)}, {"o": call(theirs)})
    ours.reset_parameters()
    theirs.load_state_dict(ours.state_dict())
    assert_same_numbers({"o": call(ours)}, {"o": call(theirs)})


def test_a_state_dict_loads_by_assignment_too() -> None:
    ours, theirs = elman.nn.RNN(3, 4, device="meta"), torch.nn.RNN(3, 4)
    ours.load_state_dict(theirs.state_dict(), assign=True)
    assert_same_numbers({"o": call(ours)}, {"o": call(theirs)})


def copies(layer: torch.nn.Module, folder: Path) -> dict[str, torch.nn.Module]:
    torch.save(layer, folder / "layer.pt")
    buffer = io.BytesIO()
    torch.save(layer, buffer, _use_new_zipfile_serialization=False)
    buffer.seek(0)
    by_hand = type(layer).__new__(type(layer))
    by_hand.__setstate__(copy.deepcopy(layer.__getstate__() if isinstance(layer, torch.nn.RNNBase) else layer.__dict__))
    return {
        "pickle": pickle.loads(pickle.dumps(layer)),
        "deepcopy": copy.deepcopy(layer),
        "copy": copy.copy(layer),
        "torch.save": torch.load(folder / "layer.pt", weights_only=False),
        "torch.save, old": torch.load(buffer, weights_only=False),
        "__setstate__": by_hand,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_every_kind_give_the_same_bits_and_train_on_their_own(kind: str, tmp_path: Path) -> None:
    layer = getattr(elman.nn, kind)(3, 4)
    expected = call(layer)  # before copying, so that a used layer is copied
    for how, other in copies(layer, tmp_path).items():
        assert type(other) is type(layer), how
        assert torch.equal(call(other), expected), how
        assert repr(other) == repr(layer), how
        if how == "copy":
            continue
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        assert not call(other).any(), how
        assert torch.equal(call(layer), expected), how


@each_layer
def test_a_layer_pickled_by_torch_restores_into_ours(kind: str) -> None:
    theirs, ours = getattr(torch.nn, kind)(3, 4, 2), getattr(elman.nn, kind)(3, 4, 2)
    ours.__setstate__(theirs.__getstate__())
    assert_same_numbers({"o": call(ours)}, {"o": call(theirs)})


def test_flatten_parameters_and_all_weights_are_torchs() -> None:
    layer = elman.nn.RNN(3, 4, 2, bidirectional=True)
    assert layer.flatten_parameters() is None
    parameters = iter(layer.parameters())
    for weights in layer.all_weights:
        for weight in weights:
            assert weight is next(parameters)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
@pytest.mark.parametrize("kind", KINDS)
def test_every_dtype_that_torch_takes_gives_torchs_numbers(kind: str, dtype: torch.dtype) -> None:
    def result(nn: ModuleType) -> Tensor:
        layer = getattr(nn, kind)(3, 4).to(dtype)
        return output_of(layer(torch.ones(2, 3, dtype=dtype)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complex modules are new
        assert outcome(result, elman.nn) == outcome(result, torch.nn)


def test_the_default_dtype_is_heeded() -> None:
    torch.set_default_dtype(torch.float64)
    layer = elman.nn.RNN(3, 4)
    assert layer(torch.zeros(4, 2, 3))[0].dtype is torch.float64


def test_a_device_context_does_not_move_what_a_layer_makes() -> None:
    layer, input = elman.nn.RNN(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    expected = layer(input)[0]
    with torch.device("meta"):
        assert elman.nn.RNN(3, 4).weight_ih_l0.is_meta
        output, h_n = layer(input)
        gradient = torch.autograd.grad(output.square().sum(), input)[0]
    assert torch.equal(output, expected)
    assert h_n.device.type == gradient.device.type == "cpu"
    torch.set_default_device("meta")
    try:
        assert torch.equal(layer(input)[0], expected)
    finally:
        torch.set_default_device(None)


# Hooks and parametrizations.


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_run_as_often_and_see_as_much_as_with_torch(kind: str) -> None:
    def seen(nn: ModuleType) -> list[Any]:
        torch.manual_seed(1)
        layer, log = getattr(nn, kind)(3, 4), []
        shapes = torch.utils._pytree.tree_map
        shape = lambda x: tuple(x.shape) if isinstance(x, Tensor) else x  # noqa: E731
        layer.register_forward_pre_hook(lambda m, args: log.append(("pre", shapes(shape, args))))
        layer.register_forward_hook(lambda m, args, out: log.append(("forward", shapes(shape, out))))
        layer.register_full_backward_pre_hook(lambda m, g: log.append(("backward pre", shapes(shape, g))))
        layer.register_full_backward_hook(lambda m, i, o: log.append(("backward", shapes(shape, i), shapes(shape, o))))
        for name, parameter in layer.named_parameters():
            parameter.register_hook(lambda g, name=name: log.append((name, shape(g))))
            parameter.register_post_accumulate_grad_hook(lambda p, name=name: log.append((name, "accumulated")))
        input = torch.randn(*((4,) if kind in LAYERS else ()), 2, 3, requires_grad=True)
        input.register_hook(lambda g: log.append(("input", shape(g))))
        output_of(layer(input)).sum().backward()
        return sorted(log, key=repr)

    assert seen(elman.nn) == seen(torch.nn)


def test_a_forward_hook_may_replace_the_result_and_a_pre_hook_the_input() -> None:
    layer = elman.nn.RNN(3, 4)
    layer.register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    layer.register_forward_hook(lambda m, args, result: (result[0] + 1, result[1]))
    assert torch.equal(call(layer), elman.nn.RNN.forward(layer, torch.zeros(4, 2, 3))[0] + 1)


def test_a_tensor_hook_that_changes_a_gradient_is_heeded() -> None:
    def gradient(nn: ModuleType) -> dict[str, Tensor]:
        torch.manual_seed(1)
        layer = nn.RNN(3, 4, 2)
        output = call(layer)
        output.register_hook(lambda g: g * torch.arange(4.0))
        output.sum().backward()
        return {name: p.grad for name, p in layer.named_parameters()}

    assert_same_numbers(gradient(elman.nn), gradient(torch.nn))


def test_a_subclass_may_extend_forward_and_keep_the_rest() -> None:
    class Doubled(elman.nn.RNN):
        def __init__(self, *args: Any, factor: float = 2.0) -> None:
            super().__init__(*args)
            self.factor = factor

        def forward(self, input: Any, hx: Tensor | None = None) -> Any:
            output, h_n = super().forward(input, hx)
            return output * self.factor, h_n

    layer, plain = Doubled(3, 4), elman.nn.RNN(3, 4)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(call(layer), 2 * call(plain))
    assert repr(layer) == "Doubled(3, 4)"


def test_code_that_initialises_weights_by_type_finds_the_layers() -> None:
    def initialise(module: torch.nn.Module) -> None:
        if isinstance(module, torch.nn.RNNBase):
            torch.nn.init.orthogonal_(module.weight_hh_l0)

    model = torch.nn.Sequential(OrderedDict(rnn=elman.nn.RNN(3, 4))).apply(initialise)
    weight = model.rnn.weight_hh_l0
    torch.testing.assert_close(weight @ weight.T, torch.eye(4))


# Threads and processes.


@each_layer
def test_calls_from_eight_threads_at_once_give_the_same_bits(kind: str) -> None:
    torch.set_num_threads(2)
    layer = getattr(elman.nn, kind)(20, 70, 2, bidirectional=True)
    inputs = [torch.randn(30, 9, 20) for _ in range(8)]

    def results(input: Tensor) -> list[Tensor]:
        output, final = layer(input)
        h_n, *_ = states_of(final)
        return [output, *torch.autograd.grad(output.sum() + h_n.sum(), list(layer.parameters()))]

    expected = [results(input) for input in inputs]
    wrong: list[str] = []

    def work(index: int) -> None:
        try:
            for _ in range(5):
                for one, other in zip(results(inputs[index]), expected[index], strict=True):
                    if not torch.equal(one, other):
                        wrong.append(f"thread {index}")
        except Exception as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
