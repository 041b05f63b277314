"""``elman.nn.Recurrent``: cells written in Python, on the engine and by PyTorch's operations."""

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

import elman
import elman.nn
from elman import _gate, cells
from elman.cells import GRU, LSTM, Cell, Elman, IndRNN, Value, learned, sigma, tanh, where
from elman.cells._library import ACTIVATIONS


class Driven(Cell):
    """All kinds of input, three states, one of which nothing reads."""

    gates, states = ("a", "b"), ("h", "v", "w")
    step_inputs, sequence_inputs = ("noise",), ("mask",)

    def step(self, a: Any, b: Any, h: Any, v: Any, noise: Any, mask: Any, leak: Any, scale: Any) -> Any:
        v = (1 - leak) * v + leak * (a.input + sigma(b) * a.recurrent) + 0.1 * noise
        return mask * tanh(v) * scale, v, h - v


class FedBack(Cell):
    """The rate is fed back, the voltage is the output, and both are read."""

    states, fed_back = ("v", "w", "r"), "r"

    def step(self, a: Any, v: Any, w: Any, r: Any) -> Any:
        v = 0.7 * v + 0.3 * a - 0.1 * w
        return v, w + 0.1 * r, tanh(v + 0.5 * r)


def driven() -> Driven:
    return Driven(leak=learned(0.3), scale=[0.5, 1.0, 1.5, 2.0])


LIBRARY = [
    *(Elman(activation) for activation in ACTIVATIONS),
    cells.RateLeaky(0.2),
    cells.RateLeaky(learned(0.3), "tanh", noise=0.1),
    cells.VoltageLeaky(),
    cells.VoltageLeaky(learned(0.1), noise=0.05),
    cells.IndRNN(),
    cells.LayerNormRNN(),
    cells.LayerNormGRU(),
    cells.LayerNormLSTM(),
    cells.MinimalGatedUnit(),
    cells.PeepholeLSTM(),
    cells.CoupledLSTM(),
    GRU(),
    LSTM(),
    driven(),
    FedBack(),
]
WRAPPED = [
    cells.Zoneout(GRU(), 0.3),
    cells.RecurrentDropout(LSTM(), 0.3),
    cells.Zoneout(cells.RecurrentDropout(cells.VoltageLeaky(learned(0.1), noise=0.05), 0.3), {"v": 0.2}),
    cells.RecurrentDropout(FedBack(), 0.3),
]


def given_to(cell: Cell, steps: int, batch: int, units: int, dtype: torch.dtype) -> dict[str, Tensor]:
    given = {name: torch.randn(steps, batch, units, dtype=dtype, requires_grad=True) for name in cell.step_inputs}
    return given | {name: torch.rand(batch, units, dtype=dtype, requires_grad=True) for name in cell.sequence_inputs}


def states_of(final: Any) -> tuple[Tensor, ...]:
    return final if isinstance(final, tuple) else (final,)


def values_and_gradients(layer: Any, x: Tensor, inputs: dict[str, Tensor], **options: Any) -> list[Tensor]:
    output, final, *others = layer(x, **inputs, **options)
    results = [output, *states_of(final), *(state for of in others for layers in of for state in states_of(layers))]
    loss = sum(
        (result * torch.linspace(-1, 1, result.numel(), dtype=x.dtype).view(result.shape)).sum() for result in results
    )
    return [*results, *torch.autograd.grad(loss, [x, *inputs.values(), *layer.parameters()])]


@pytest.mark.parametrize(
    "options", [{}, {"lengths": [3, 0, 5]}, {"lengths": [0, 0, 0]}, {"resets": True}, {"return_states": True}], ids=str
)
@pytest.mark.parametrize("cell", LIBRARY + WRAPPED, ids=lambda cell: type(cell).__name__)
def test_the_engine_computes_what_pytorchs_operations_do(
    cell: Cell, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    options = dict(options)
    if "resets" in options:
        options["resets"] = torch.rand(5, 3) < 0.3
    layer = elman.nn.Recurrent(
        cell, 3, 4, 2, bidirectional="resets" not in options, learn_initial_state=True, dtype=torch.float64
    )
    x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
    inputs = given_to(cell, 5, 3, 4, torch.float64)
    ours = values_and_gradients(layer, x, inputs, **options)
    monkeypatch.setattr(_gate, "are_plain", lambda tensors: False)
    theirs = values_and_gradients(layer, x, inputs, **options)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_programs_of_built_in_cells_have_their_bits(kind: Any, dtype: torch.dtype) -> None:
    built_in = getattr(elman.nn, kind.__name__)(5, 19, 2, bidirectional=True, dtype=dtype)
    own = elman.nn.Recurrent(kind(), 5, 19, 2, bidirectional=True, dtype=dtype)
    own.load_state_dict(built_in.state_dict())
    x = torch.randn(7, 9, 5, dtype=dtype, requires_grad=True)
    (output, final), (expected, expected_final) = own(x), built_in(x)
    assert torch.equal(output, expected)
    assert all(map(torch.equal, states_of(final), states_of(expected_final)))
    parameters = dict(own.named_parameters())
    ours = torch.autograd.grad(output.sin().sum(), [x, *(parameters[name] for name, _ in built_in.named_parameters())])
    theirs = torch.autograd.grad(expected.sin().sum(), [x, *built_in.parameters()])
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4 if dtype == torch.float32 else 1e-11, atol=1e-5)


@pytest.mark.parametrize(
    "cell", [cells.LayerNormLSTM(), cells.VoltageLeaky(), GRU(), *WRAPPED], ids=lambda c: type(c).__name__
)
def test_a_sequence_has_the_same_bits_however_it_is_run(cell: Cell) -> None:
    layer = elman.nn.Recurrent(cell, 5, 37, batch_first=True).eval()
    x, lengths = torch.randn(11, 13, 5), torch.tensor([13, 2, 7, 1, 9, 13, 4, 5, 6, 3, 8])
    threads = torch.get_num_threads()
    with torch.no_grad():
        padded, _ = layer(x, lengths=lengths)
        packed, _ = layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        assert torch.equal(
            packed.data, pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False).data
        )
        for row, length in enumerate(lengths.tolist()):
            alone, final = layer(x[row, :length])
            assert torch.equal(alone, padded[row, :length])
            first, state = layer(x[row, : length // 2]) if length > 1 else (alone[:0], None)
            rest, last = layer(x[row, length // 2 : length], state)
            assert torch.equal(torch.cat([first, rest]), alone)
            assert all(map(torch.equal, states_of(last), states_of(final)))
        try:
            torch.set_num_threads(3)
            assert torch.equal(layer(x, lengths=lengths)[0], padded)
        finally:
            torch.set_num_threads(threads)


def test_gradients_of_gradients_go_by_the_program() -> None:
    layer = elman.nn.Recurrent(LSTM(), 2, 3, dtype=torch.float64)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)

    def output(x: Tensor, weight_hh: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight_hh_l0": weight_hh}, x)[0]

    assert torch.autograd.gradgradcheck(output, (x, layer.weight_hh_l0))


def test_a_cell_that_feeds_nothing_back_has_no_recurrent_weights() -> None:
    layer = elman.nn.Recurrent(cells.IndRNN(), 3, 4, bias=False)
    assert [*layer.state_dict()] == ["weight_ih_l0", "recurrent_l0"]
    output, _ = layer(torch.randn(5, 2, 3))
    output.sum().backward()
    assert layer.recurrent_l0.grad is not None


class Drawing(Cell):
    step_inputs = ("noise",)

    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn
        super().__init__()

    def step(self, a: Value, noise: Value) -> Value:
        return tanh(a) + noise

    def draw(self, name: str, empty: Tensor, training: bool) -> Any:
        return self.drawn


def test_a_cell_may_draw_a_number_for_all(tmp_path: Path) -> None:
    layer, x = elman.nn.Recurrent(Drawing(0.5), 3, 4), torch.randn(5, 2, 3)
    output = layer(x, noise=torch.full((5, 2, 4), 0.5))[0]
    assert torch.equal(layer(x)[0], output)
    elman.save(layer, tmp_path / "drawing.safetensors")
    assert (elman.load(tmp_path / "drawing.safetensors")(x.numpy())[0] == output.detach().numpy()).all()


@pytest.mark.parametrize(
    ("drawn", "got"),
    [("0", "str"), (torch.zeros(4), "(4,) of torch.float32"), (torch.zeros(5, 2, 4).double(), "of torch.float64")],
)
def test_what_is_drawn_of_another_shape_or_dtype_is_refused(drawn: Any, got: str, tmp_path: Path) -> None:
    layer = elman.nn.Recurrent(Drawing(drawn), 3, 4)
    expected = r"noise: expected \({} of torch.float32 from Drawing.draw, got .*" + re.escape(got)
    with pytest.raises(ValueError, match=expected.format("5, 2, 4\\)")):
        layer(torch.randn(5, 2, 3))
    with pytest.raises(ValueError, match=expected.format("64, 4\\)")):
        elman.save(layer, tmp_path / "drawing.safetensors")


def test_noise_of_packed_rows_has_its_gradient_as_a_tensor_too() -> None:
    layer, packed = elman.nn.Recurrent(cells.RateLeaky(noise=1.0), 3, 4), pack(torch.randn(5, 2, 3), [5, 3])
    noise = torch.randn(8, 4, requires_grad=True)
    found = [
        torch.autograd.grad(layer(packed, noise=given)[0].data.square().sum(), noise)[0]
        for given in (noise, packed._replace(data=noise))
    ]
    assert found[0].any()
    assert torch.equal(*found)


def test_noise_is_drawn_while_training_and_not_after() -> None:
    layer = elman.nn.Recurrent(cells.RateLeaky(noise=1.0), 3, 4)
    x = torch.randn(5, 2, 3)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@pytest.mark.parametrize("cell", [cells.RateLeaky(), WRAPPED[1]], ids=lambda c: type(c).__name__)
def test_under_autocast_the_results_alone_are_of_its_dtype(cell: Cell) -> None:
    layer = elman.nn.Recurrent(cell, 3, 4).eval()
    x, before = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
    state = before if len(cell.states) == 1 else (before, before)
    for given in (x, x.bfloat16()):
        with torch.autocast("cpu", torch.bfloat16):
            output, final, states = layer(given, state, lengths=[5, 0], return_states=True)
        expected, expected_final = layer(given.float(), state, lengths=[5, 0])
        assert torch.equal(output, expected.bfloat16())
        assert torch.equal(states_of(states[0])[0], output)
        for one, other in zip(states_of(final), states_of(expected_final), strict=True):
            assert torch.equal(one, other.bfloat16())
        gradients = torch.autograd.grad(output.float().sum(), [*layer.parameters()])
        assert {d.dtype for d in gradients} == {torch.float32}


def test_layers_go_through_copies_pickles_and_state_dicts() -> None:
    layer = elman.nn.Recurrent(cells.LayerNormGRU(), 3, [4, 6], residual=True)
    x = torch.randn(5, 2, 3)
    expected, final = layer(x)
    assert [tuple(state.shape) for state in final] == [(1, 2, 4), (1, 2, 6)]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x)[0], expected)
    other = elman.nn.Recurrent(cells.LayerNormGRU(), 3, [4, 6], residual=True)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other(x)[0], expected)
    assert repr(layer) == f"Recurrent({layer.cell!r}, 3, [4, 6], num_layers=2, residual=True)"


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3)], ids=str)
@pytest.mark.parametrize(
    "cell", [cells.RateLeaky(), cells.VoltageLeaky(), driven(), *WRAPPED], ids=lambda c: type(c).__name__
)
def test_no_steps_and_no_sequences_have_states_too(cell: Cell, shape: tuple[int, int, int]) -> None:
    layer = elman.nn.Recurrent(cell, 3, 4)
    output, final, states = layer(
        torch.zeros(shape), **given_to(cell, *shape[:2], 4, torch.float32), return_states=True
    )
    assert output.shape == (*shape[:2], 4)
    assert all(state.shape == (1, shape[1], 4) for state in states_of(final))
    assert all(state.shape == output.shape for state in states_of(states[0]))
    output.sum().backward()


@pytest.mark.parametrize("cell", LIBRARY, ids=lambda cell: type(cell).__name__)
def test_every_cell_of_the_library_goes_through_a_pickle(cell: Cell) -> None:
    assert pickle.loads(pickle.dumps(cell)).program == cell.program


def test_a_cell_too_deep_to_keep_all_its_values_computes_them_again() -> None:
    class Deep(Cell):
        def step(self, a: Any, h: Any) -> Any:
            for _ in range(50):
                a = tanh(a + h)
            return a

    layer = elman.nn.Recurrent(Deep(), 3, 4, dtype=torch.float64)
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], x)


def test_what_only_chooses_has_a_gradient_of_zero() -> None:
    class Choosing(Cell):
        step_inputs, sequence_inputs = ("noise",), ("mask",)

        def step(self, a: Any, h: Any, threshold: Any, noise: Any, mask: Any) -> Any:
            return where(a + noise > threshold, where(mask > 0, a, h), h)

    layer = elman.nn.Recurrent(Choosing(threshold=learned(0.1)), 3, 4)
    inputs = given_to(layer.cell, 5, 2, 4, torch.float32)
    layer(torch.randn(5, 2, 3), **inputs)[0].sum().backward()
    for tensor in (layer.threshold_l0, *inputs.values()):
        assert tensor.grad is not None
        assert not tensor.grad.any()


def test_programs_that_were_written_for_pytorchs_layers_find_all_weights() -> None:
    own, built_in = elman.nn.Recurrent(GRU(), 3, 4, 2, bidirectional=True), torch.nn.GRU(3, 4, 2, bidirectional=True)
    own.flatten_parameters()
    shapes = [[weight.shape for weight in weights] for weights in built_in.all_weights]
    assert [[weight.shape for weight in weights] for weights in own.all_weights] == shapes
    assert own.all_weights[1][0] is own.weight_ih_l0_reverse
    assert len(elman.nn.Recurrent(IndRNN(), 3, 4, bias=False).all_weights[0]) == 1


def test_sizes_may_be_numpys() -> None:
    layer = elman.nn.Recurrent(cells.RateLeaky(), np.int64(3), np.int64(4), np.int64(2))
    assert repr(layer) == "Recurrent(RateLeaky(leak=0.2), 3, 4, num_layers=2)"
    assert [type(size) for size in (layer.input_size, layer.hidden_size, layer.num_layers)] == [int] * 3


def pack(x: Tensor, lengths: list[int]) -> Any:
    return pack_padded_sequence(x, lengths, enforce_sorted=False)


NOISE = {"noise": torch.zeros(5, 2, 4), "mask": torch.zeros(2, 4)}


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning", "ignore::DeprecationWarning")  # dynamo's
def test_a_compiled_model_runs_the_engine_at_the_layer() -> None:
    layer = elman.nn.Recurrent(driven(), 3, 4)
    compiled: Any = torch.compile(lambda x, **inputs: layer(2 * x, **inputs)[0].relu(), backend="eager")
    for steps in (5, 300):  # steps that are written out one by one would take minutes
        x, inputs = torch.randn(steps, 2, 3), given_to(layer.cell, steps, 2, 4, torch.float32)
        output, expected = compiled(x, **inputs), layer(2 * x, **inputs)[0].relu()
        assert torch.equal(output, expected)
        for one, other in zip(
            *(torch.autograd.grad(y.sum(), [*layer.parameters()]) for y in (output, expected)), strict=True
        ):
            assert torch.equal(one, other)


class Asking(Cell):
    step_inputs, sequence_inputs = ("noise",), ("mask",)

    def step(self, a: Value, noise: Any, mask: Any) -> Any:
        return mask * tanh(a + noise)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: m(x), "noise: expected to be given, for Asking does not draw it"),
        (lambda m, x: m(x, noise=x), "noise: expected (5, 2, 4), as the input lies, got (5, 2, 3)"),
        (
            lambda m, x: m(x, noise=torch.zeros(5, 2, 4), mask=torch.zeros(4)),
            "mask: expected (2, 4), one a sequence, got (4,)",
        ),
        (
            lambda m, x: m(pack(x, [2, 5]), noise=pack(torch.zeros(5, 2, 4), [5, 2]), mask=torch.zeros(2, 4)),
            "noise: expected to be packed as the input is, got other lengths or another order",
        ),
        (lambda m, x: m(x, gain=x), "gain: expected no such argument, Asking has no such input"),
        (lambda m, x: m(x.double()), "input: expected torch.float32, as the parameters, got torch.float64"),
        (lambda m, x: m(x, torch.zeros(1, 2, 4).double(), **NOISE), "h_0: expected torch.float32, as the input"),
        (lambda m, x: elman.nn.Recurrent(GRU, 3, 4), "cell: expected a Cell, as in Leaky(leak=0.2), got <class 'elman"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, None), "hidden_size: expected an integer above 0, or one for each"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4.0), "hidden_size: expected an integer above 0, or one for each"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, "44"), "or one for each layer, got '44'"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4, 0), "num_layers: expected an integer above 0, got 0"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4, "2"), "num_layers: expected an integer above 0, got '2'"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4, dropout="a"), "dropout: expected a probability from 0 to 1"),
        (lambda m, x: m(x.int()), "input: expected floating-point numbers, got torch.int32"),
        (lambda m, x: m(x[..., :2]), "input: expected 3 features, got (5, 2, 2)"),
        (lambda m, x: m(x, torch.zeros(1, 3, 4)), "h_0: expected (1, 2, 4), got (1, 3, 4)"),
        (
            lambda m, x: elman.nn.Recurrent(tanh, 3, 4),
            "cell: expected a Cell, as in Leaky(leak=0.2), got <function t",
        ),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 0), "hidden_size: expected an integer above 0"),
        (
            lambda m, x: elman.nn.Recurrent(GRU(), 3, [4, 5], 3),
            "num_layers: expected 2, as many as hidden_size has widths, got 3",
        ),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4, residual=1), "residual should be of type bool, got: int"),
        (lambda m, x: elman.nn.Recurrent(GRU(), -1, 4), "input_size: expected an integer of 0 or more, got -1"),
        (lambda m, x: elman.nn.Recurrent(GRU(), 3, 4, dropout=2), "dropout: expected a probability from 0 to 1, got 2"),
        (
            lambda m, x: elman.nn.Recurrent(cells.RateLeaky([0.1, 0.2]), 3, 4),
            "leak: expected a value for each of 4 hidden units, got (2,)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        call(elman.nn.Recurrent(Asking(), 3, 4), torch.randn(5, 2, 3))
