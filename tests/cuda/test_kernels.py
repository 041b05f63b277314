"""The kernels for GPUs, compiled as C++, have the bits of the engine."""

import pytest
import torch

from elman import _engine
from elman.ops._cells import BUILT_IN
from elman.ops._cuda import _calls as kernels
from elman.ops._cuda._launches import is_within
from elman.ops._cuda._plan import Limits, plan
from tests.cuda.cases import GATES, Case, arguments, assert_engine_agrees, call_of, random_case
from tests.cuda.shim import HOPPER, Shim, steps
from tests.engine.compiler import COMPILER

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="needs a compiler"),
    pytest.mark.skipif(_engine.instruction_set() == "x86-64", reason="an engine without FMA has bits of its own"),
]

SMALL = Limits(shared_bytes=24 << 10, multiprocessors=1)  # two rows a block, weights read at every step
TURING = Limits(shared_bytes=64 << 10, multiprocessors=2)


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("hidden_size", [1, 15, 16, 17, 33, 64])
def test_each_cell_has_the_engines_bits(cell: str, hidden_size: int) -> None:
    assert_engine_agrees(Shim(), Case(cell, 4, 3, 5, hidden_size, directions=2))


@pytest.mark.parametrize("function", steps())
def test_each_kernel_that_a_layer_comes_to_has_the_engines_bits(function: str) -> None:
    cell, hidden_size, rows = steps()[function]
    shim = Shim(Limits(HOPPER.shared_bytes, 132 if rows == 1 else 0))
    assert_engine_agrees(shim, Case(cell, 3, 3, 4, hidden_size, packed=rows == 2, seed=hidden_size))
    assert function in shim.launched


@pytest.mark.parametrize("seed", range(40))
def test_random_layers_have_the_engines_bits_in_whatever_order_threads_run(seed: int) -> None:
    shim = Shim((HOPPER, TURING, SMALL)[seed % 3], backwards=seed % 2 == 1)
    case = random_case(seed, [1, 2, 3, 15, 16, 17, 31, 32, 48, 65, 100], [1, 2, 3, 6, 23], [1, 2, 3, 5])
    if is_within(shim, BUILT_IN[case.cell], torch.device("cpu"), case.hidden_size, 1):
        assert_engine_agrees(shim, case)


@pytest.mark.parametrize(
    "case",
    [
        Case("tanh", 2, 2, 3, 300),  # a part of the weights in shared memory
        Case("gru", 2, 3, 3, 130, packed=True),  # more gates than threads with 8 blocks each
        Case("lstm", 2, 2, 3, 270),  # more gates than a block may have threads
        Case("relu", 2, 1, 3, 1030),  # more units than that
    ],
    ids=str,
)
def test_large_layers_have_the_engines_bits(case: Case) -> None:
    assert_engine_agrees(Shim(TURING), case)


@pytest.mark.parametrize("multiprocessors", [132, 1])
def test_sums_over_many_groups_of_rows_have_the_engines_bits(multiprocessors: int) -> None:
    shim = Shim(Limits(64 << 10, multiprocessors))
    assert_engine_agrees(shim, Case("gru", 420, 5, 3, 12))
    assert ("add_groups" in shim.launched) == (multiprocessors > 1)


def test_packed_input_of_many_steps_has_the_engines_bits() -> None:
    assert_engine_agrees(Shim(), Case("tanh", 1100, 2, 1, 2, packed=True, directions=2))


@pytest.mark.parametrize("cell", GATES)
def test_numbers_of_every_size_have_the_engines_bits(cell: str) -> None:
    """tanh and sigma of 16384 sums, each of which is a number of the input."""
    units, generator = 64, torch.Generator().manual_seed(0)
    given = arguments(case := Case(cell, 1, 256, units, units, bias=False, states=False))
    of_any_bits = torch.randint(-(2**31), 2**31, (1, 128, units), dtype=torch.int32, generator=generator)
    middling = 5 * torch.randn(1, 128, units, generator=generator)
    given.input = torch.cat([of_any_bits.view(torch.float32), middling], 1)
    given.input[~given.input.isfinite()] = -0.0  # of the others each sum would be NaN
    given.weights = [torch.eye(units).repeat(GATES[cell], 1), torch.zeros(GATES[cell] * units, units)]
    assert_engine_agrees(Shim(), case, given=given)


@pytest.mark.parametrize("seed", range(8))
def test_zeros_of_either_sign_and_what_is_tiny_huge_or_not_finite_have_the_engines_bits(seed: int) -> None:
    case, generator = random_case(seed, [1, 16, 17, 40], [1, 3], [3]), torch.Generator().manual_seed(seed)
    given = arguments(case)
    for x in (given.input, given.h_0, given.c_0, given.d_output, given.d_h_n, given.d_c_n, *given.weights):
        if x is not None:
            for value in (0.0, -0.0, 1e-40, -1e30, float("inf"), float("nan"))[: 4 if seed % 2 else None]:
                x[torch.rand(x.shape, generator=generator) < (0.1 if value == 0 else 0.02)] = value
    assert_engine_agrees(Shim((HOPPER, SMALL)[seed // 4]), case, given=given)


def test_a_bias_whose_gradient_is_infinite_has_the_engines_bits() -> None:
    given = arguments(case := Case("tanh", 1, 3, 2, 4))
    given.d_output[0, 1, 2] = float("inf")
    assert_engine_agrees(Shim(), case, given=given)


def test_what_is_not_finite_stays_in_its_row() -> None:
    case = Case("lstm", 3, 4, 5, 33)
    given, shim = arguments(case), Shim(SMALL)
    call = call_of(case, given)
    rest = given.h_0, given.c_0, given.weights, False
    (expected, *_), _ = kernels.forward(shim, call, given.input, *rest)
    given.input[1, 2, 0] = float("inf")
    given.input[1, 2, 1] = float("nan")
    (output, *_), _ = kernels.forward(shim, call, given.input, *rest)
    assert output[1:, 2].isnan().all()
    others = [0, 1, 3]
    assert torch.equal(output[:, others], expected[:, others])
    assert torch.equal(output[0], expected[0])


def test_a_layer_that_outgrows_a_blocks_memory_is_left_to_pytorch() -> None:
    shim, device = Shim(SMALL), torch.device("cpu")
    assert is_within(shim, BUILT_IN["lstm"], device, 100, 10)
    assert not is_within(shim, BUILT_IN["lstm"], device, 1000, 10)
    assert not is_within(shim, BUILT_IN["lstm"], device, 10, 1 << 31)
    assert not is_within(shim, BUILT_IN["lstm"], device, 10, 0)


@pytest.mark.parametrize("gates", [1, 3, 4])
@pytest.mark.parametrize("hidden_size", [1, 16, 64, 100, 128, 192, 256, 512, 1024, 2048])
def test_a_plan_has_a_place_for_every_weight(gates: int, hidden_size: int) -> None:
    for depth, columns in ((hidden_size, gates * hidden_size), (gates * hidden_size, hidden_size)):
        laid_out = plan(depth, columns, hidden_size, 64, HOPPER)
        assert laid_out is not None
        assert laid_out.parts * laid_out.blocks * 16 >= depth
        assert laid_out.shared_bytes <= HOPPER.shared_bytes
        assert laid_out.parts == 1 or laid_out.parts * columns <= laid_out.threads
        in_place = laid_out.threads * 16 * (laid_out.held + laid_out.shared_blocks)
        assert laid_out.reads_memory or in_place >= depth * columns
    if gates * hidden_size**2 <= 128 * 128:
        assert not plan(hidden_size, gates * hidden_size, hidden_size, 64, HOPPER).shared_blocks  # registers have all
