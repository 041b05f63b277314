"""``elman.runtime.Recurrent``: cells of one's own without PyTorch, to the bits of ``elman.nn.Recurrent``."""

import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

import elman
from elman import _engine
from elman._safetensors import TensorFile, write_tensors
from elman.cells import (
    LSTM,
    Cell,
    IndRNN,
    LayerNormLSTM,
    Program,
    RateLeaky,
    RecurrentDropout,
    VoltageLeaky,
    Zoneout,
    learned,
    sigma,
    tanh,
)
from tests.runtime.refusals import refusal


class Driven(Cell):
    """Three states, parts of a gate, inputs of all kinds."""

    gates, states = ("a", "b"), ("h", "v", "w")
    step_inputs, sequence_inputs = ("noise",), ("mask",)

    def step(self, a: Any, b: Any, h: Any, v: Any, noise: Any, mask: Any, leak: Any) -> Any:
        v = (1 - leak) * v + leak * (a.input + sigma(b) * a.recurrent) + 0.1 * noise
        return mask * tanh(v), v, h - v

    def draw(self, name: str, empty: Any, training: bool) -> Any:
        return empty.bernoulli_(0.5) if training else empty.fill_(name == "mask")


class FedBack(Cell):
    """The rate is fed back, the voltage is the output."""

    states, fed_back = ("v", "r"), "r"

    def step(self, a: Any, v: Any) -> Any:
        v = 0.7 * v + 0.3 * a
        return v, tanh(v)


CELLS = [
    RateLeaky(0.2),
    VoltageLeaky(learned(0.1), noise=0.05),
    IndRNN(),
    LayerNormLSTM(),
    Driven(leak=learned(0.3)),
    FedBack(),
    RecurrentDropout(Zoneout(LSTM(), {"h": 0.05, "c": 0.5}), 0.3),
    Zoneout(RecurrentDropout(VoltageLeaky(learned(0.1), noise=0.05), 0.5), 0.1),
]
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {"hidden_size": 19, "bias": False},
    "two directions": {"hidden_size": 7, "num_layers": 2, "bidirectional": True, "learn_initial_state": True},
    "widths": {"hidden_size": [5, 5, 9], "learn_initial_state": True, "residual": True, "batch_first": True},
}


def layer_of(cell: Cell, dtype: torch.dtype = torch.float32, **options: Any) -> elman.nn.Recurrent:
    torch.manual_seed(1)
    layer = elman.nn.Recurrent(cell, 4, dtype=dtype, **options).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += 0.1 * torch.rand_like(parameter)
    return layer


def saved(layer: Any, path: Any) -> elman.runtime.Recurrent:
    elman.save(layer, path / "own.safetensors")
    network = elman.load(path / "own.safetensors")
    assert isinstance(network, elman.runtime.Recurrent)
    return network


def each(states: Any) -> list[Any]:
    return [array for state in states for array in each(state)] if isinstance(states, tuple) else [states]


def assert_same(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    for one, other in zip([ours[0], *each(ours[1])], [theirs[0], *each(theirs[1])], strict=True):
        assert np.array_equal(one, other.detach().numpy() if isinstance(other, torch.Tensor) else other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_a_saved_network_has_the_bits_of_the_layer(cell: Cell, shape: str, dtype: torch.dtype, tmp_path: Any) -> None:
    layer = layer_of(cell, dtype, **SHAPES[shape])
    network = saved(layer, tmp_path)
    x = torch.randn(6, 6, 4, dtype=dtype)
    output, h_n = network(x.numpy())
    assert_same((output, h_n), layer(x))
    assert_same(network(x.numpy(), h_n), layer(x, layer(x)[1]))
    lengths = [6, 0, 3, 1, 6, 2]
    assert_same(network(x.numpy(), lengths=lengths), layer(x, lengths=torch.tensor(lengths)))
    assert_same(network(x[0].numpy()), layer(x[0]))
    if not network.bidirectional:
        resets = torch.rand(6, 6) < 0.3
        assert_same(network(x.numpy(), resets=resets.numpy()), layer(x, resets=resets))
        assert_same(network(x.numpy(), h_n, resets=resets.numpy()), layer(x, layer(x)[1], resets=resets))


@pytest.mark.parametrize("shape", ["plain", "widths"])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: type(cell).__name__)
def test_a_stream_has_the_bits_of_the_sequence(cell: Cell, shape: str, tmp_path: Any) -> None:
    network = saved(layer_of(cell, **SHAPES[shape] | {"batch_first": False}), tmp_path)
    x = np.random.default_rng(0).normal(size=(6, 3, 4)).astype("f4")
    resets = np.random.default_rng(1).random((6, 3)) < 0.3
    output, h_n = network(x, resets=resets)
    stream = network.stream(3)
    for x_t, flags, expected in zip(x, resets, output, strict=True):
        assert np.array_equal(stream.step(x_t, reset=flags), expected)
    assert_same((output, stream.state), (output, h_n))
    other, out = stream.copy(), np.empty_like(output[0])
    expected = network(x[:1], h_n)[0][0]
    assert np.array_equal(other.step(x[0], out), expected)
    assert out is other.step(x[0], out)
    assert np.array_equal(stream.step(x[0]), expected)
    stream.state = h_n
    assert np.array_equal(stream.step(x[0]), expected)
    stream.reset([1])
    anew = stream.step(x[0])
    assert np.array_equal(anew[1], output[0, 1])
    stream.reset()
    assert np.array_equal(stream.step(x[0]), output[0])


def test_on_every_instruction_set_a_stream_has_the_bits_of_the_sequence(tmp_path: Any) -> None:
    layer, before = layer_of(Driven(leak=learned(0.3)), hidden_size=19), _engine.instruction_set()
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("f4")
    try:
        for number, name in enumerate(_engine.instruction_sets()):
            _engine.use_instruction_set(name)
            elman.save(layer, tmp_path / f"{number}.safetensors")
            network: Any = elman.load(tmp_path / f"{number}.safetensors")
            stream = network.stream()
            assert np.array_equal([stream.step(x_t) for x_t in x], network(x)[0])
    finally:
        _engine.use_instruction_set(before)


def test_what_a_cell_draws_when_not_trained_is_a_part_of_what_is_saved(tmp_path: Any) -> None:
    network = saved(layer_of(VoltageLeaky(noise=0.5), hidden_size=3), tmp_path)
    assert "noise" not in network.program.inputs
    assert "step" not in [node.operation for node in network.program.nodes]
    assert refusal(network.program.with_numbers, {"other": 1}).startswith("other: expected one of the inputs (")
    program = VoltageLeaky(noise=0.5).program
    assert refusal(program.with_numbers, {"noise": "x"}).startswith("noise: expected a number, got 'x'")


@pytest.mark.parametrize("drawn", [None, "random"])
def test_a_cell_that_does_not_say_what_it_is_given_is_refused(drawn: Any, tmp_path: Any) -> None:
    class Noisy(Cell):
        step_inputs = ("noise",)

        def step(self, a: Any, h: Any, noise: Any) -> Any:
            return tanh(a + noise)

        def draw(self, name: str, empty: Any, training: bool) -> Any:
            return empty.normal_() if drawn else None

    message = refusal(elman.save, elman.nn.Recurrent(Noisy(), 3, 4), tmp_path / "own.safetensors")
    assert message.startswith("noise: expected a number that stands for it at inference, but Noisy's draw")
    assert refusal(elman.runtime.Recurrent, {}, Noisy().program).startswith("program: expected a number for noise")


def test_numbers_that_a_file_cannot_hold_are_refused(tmp_path: Any) -> None:
    class Infinite(Cell):
        def step(self, a: Any, h: Any) -> Any:
            return tanh(a) + 0 * h * float("inf")

    message = refusal(elman.save, elman.nn.Recurrent(Infinite(), 3, 4), tmp_path / "own.safetensors")
    assert message.startswith("program: expected finite numbers")


def test_a_network_is_what_it_was_made_of_and_pickles(tmp_path: Any) -> None:
    layer = layer_of(RateLeaky(learned(0.2)), hidden_size=6, num_layers=2, residual=True, batch_first=True)
    network = saved(layer, tmp_path)
    assert repr(network) == "Recurrent(4, 6, num_layers=2, batch_first=True, residual=True, float32)"
    assert {*network.parameters} == {*layer.state_dict()}
    assert network.program == layer.cell.program
    x = np.ones((2, 5, 4), "f4")
    assert_same(pickle.loads(pickle.dumps(network))(x), network(x))
    elman.save(network, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "own.safetensors").read_bytes()


def test_it_runs_without_pytorch(tmp_path: Any) -> None:
    saved(layer_of(VoltageLeaky(), hidden_size=6), tmp_path)
    program = """
import sys, numpy, elman
network = elman.load("own.safetensors")
network.stream().step(numpy.ones(4, "f4"))
elman.save(network, "again.safetensors")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_other_kinds_of_file_are_named(tmp_path: Any) -> None:
    saved(layer_of(RateLeaky(), hidden_size=6), tmp_path)
    elman.save(torch.nn.GRU(2, 3), tmp_path / "gru.safetensors")
    assert "expected an RNN, got a Recurrent, which elman.runtime.Recurrent.load reads" in refusal(
        elman.runtime.RNN.load, tmp_path / "own.safetensors"
    )
    assert "expected a Recurrent, got a GRU" in refusal(elman.runtime.Recurrent.load, tmp_path / "gru.safetensors")
    assert isinstance(elman.runtime.Recurrent.load(tmp_path / "own.safetensors"), elman.runtime.Recurrent)


def test_onnx_has_no_place_for_it(tmp_path: Any) -> None:
    network = saved(layer_of(RateLeaky(), hidden_size=6), tmp_path)
    for write in (network.to_onnx, lambda path: elman.runtime.export(network, path)):
        assert "cell of one's own" in refusal(write, tmp_path / "own.onnx")


NODES = [["gate", "a"], ["state", "h"], ["add", 0, 1], ["tanh", 2]]
DATA: dict[str, Any] = {"gates": ["a"], "states": ["h"], "inputs": {"leak": "unit"}, "nodes": NODES, "results": [3]}


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes": [*NODES[:3], ["tanh", 3]]},
        {"nodes": [*NODES[:3], ["tanh", -1]]},
        {"nodes": [*NODES[:3], ["tanh", 2**63]]},
        {"nodes": [*NODES[:3], ["__import__", "os"]]},
        {"nodes": [*NODES[:3], ["unit", "other"]]},
        {"nodes": [["tanh", 0]]},
        {"nodes": []},
        {"nodes": [["gate", "a"]] * 257},
        {"results": [4]},
        {"results": [3, 3]},
        {"results": [True]},
        {"gates": []},
        {"gates": ["a", "b"]},
        {"gates": [f"a{i}" for i in range(9)]},
        {"states": [f"s{i}" for i in range(16)], "results": [3] * 16, "nodes": [["gate", "a"], *[["tanh", 0]] * 3]},
        {"inputs": {"leak": "step"}},
        {"inputs": {"leak": "file"}},
        {"inputs": {"weight_ih": "unit"}},
        {"inputs": {"other": "unit"}},
        {"inputs": {}},
        {"more": 1},
        {"fed_back": 1, "results": [3, 2]},
        {"fed_back": 2},
        {"fed_back": 0.0},
        {"nodes": [*NODES, ["log", 3]] + [["exp", 4 + i] for i in range(251)], "results": [255, 0]},
    ],
    ids=str,
)
def test_a_program_that_cannot_be_is_refused_in_a_line(changed: dict[str, Any], tmp_path: Any) -> None:
    path = tmp_path / "own.safetensors"
    write(path, DATA)
    elman.load(path)
    write(path, DATA | changed)
    assert refusal(elman.load, path).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "{", "[" * 99999, '{"gates": NaN}', "null", "1e999", '{"gates": 1, "gates": 2}'])
def test_a_program_that_is_no_json_is_refused_in_a_line(text: str, tmp_path: Any) -> None:
    write(tmp_path / "own.safetensors", text)
    assert refusal(elman.load, tmp_path / "own.safetensors").startswith(f"{tmp_path}")


def write(path: Any, program: Any) -> None:
    tensors = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.ones((3, 3)), "leak_l0": np.ones(3)}
    said = {"format": "elman rnn", "version": "4", "batch_first": "false", "residual": "false"}
    write_tensors(path, tensors, said | {"program": program if isinstance(program, str) else json.dumps(program)})


def test_programs_that_divide_by_zero_give_what_ieee_says(tmp_path: Any) -> None:
    nodes = [["gate", "a"], ["number", 0], ["divide", 0, 1]]
    write(tmp_path / "own.safetensors", DATA | {"nodes": nodes, "results": [2]})
    network: Any = elman.load(tmp_path / "own.safetensors")
    assert np.isposinf(network(np.ones((1, 2)))[0]).all()
    assert (
        Program.from_data(json.loads(TensorFile(tmp_path / "own.safetensors").metadata["program"])) == network.program
    )
