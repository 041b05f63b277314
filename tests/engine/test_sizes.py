"""Arrays of more than 2^31 elements, in memory of which no more is used than is written."""

import mmap
import sys
from dataclasses import replace

import numpy as np
import pytest

import elman
from tests.engine.cases import GRADIENTS, assert_same_bits, backward, case, forward
from tests.engine.gated import gated_case, run

APART = 2**31 + 3  # elements
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs memory that is only promised")


def spread(array, strides):
    """A copy with other strides, in elements."""
    elements = 1 + sum((size - 1) * stride for size, stride in zip(array.shape, strides, strict=True))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
    memory = np.frombuffer(mmap.mmap(-1, elements * array.itemsize, flags=flags), array.dtype)
    in_bytes = tuple(stride * array.itemsize for stride in strides)
    copy = np.lib.stride_tricks.as_strided(memory, array.shape, in_bytes)
    copy[...] = array
    return copy


@pytest.mark.parametrize("strides", [(APART, 40, 1), (40, APART, 1)], ids=["steps", "rows"])
def test_steps_and_rows_may_lie_more_than_2_31_elements_apart(strides):
    this = case(5, 7, 3, 4)
    far = replace(this, input=spread(this.input, strides), d_output=spread(this.d_output, strides))
    output, final = forward(this)
    far_output, far_final = forward(far, output=spread(np.zeros_like(output), strides))
    assert_same_bits({"output": far_output, "h_n": far_final}, {"output": output, "h_n": final})
    into = {"d_input": spread(np.zeros_like(this.input), strides)}
    assert_same_bits(backward(far, far_output, into=into), backward(this, output))


def test_features_may_lie_more_than_2_31_elements_apart():
    this = case(3, 7, 3, 4)
    far = replace(this, input=spread(this.input, (1, 4, APART)), d_output=spread(this.d_output, (1, 4, APART)))
    output, final = forward(this)
    assert_same_bits(dict(zip(("output", "h_n"), forward(far), strict=True)), {"output": output, "h_n": final})
    wanted = tuple(name for name in GRADIENTS if name != "d_input")
    assert_same_bits(backward(far, output, wanted=wanted), backward(this, output, wanted=wanted))


@pytest.mark.parametrize("strides", [(APART, 40, 1), (40, APART, 1), (1, 4, APART)], ids=["steps", "rows", "features"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_gated_cells_read_may_lie_more_than_2_31_elements_apart(cell, strides):
    this = gated_case(cell, 5, 7, 3, 4)
    far = replace(this, input=spread(this.input, strides), d_output=spread(this.d_output, strides))
    assert_same_bits(run(far), run(this))


@pytest.mark.parametrize("shape", [(2**31, 2**28, 4), (2**20, 2**38, 4), (1, 2**56, 4)])
def test_a_network_refuses_an_expanded_input_whose_output_no_memory_holds(shape):
    this = case(4, 8, 1, 1)
    network = elman.runtime.RNN({"weight_ih_l0": this.input_weights, "weight_hh_l0": this.recurrent_weights})
    with pytest.raises((ValueError, MemoryError), match=r"array is too big|Unable to allocate"):  # NumPy's own words
        network(np.broadcast_to(this.input, shape))


@pytest.mark.slow
def test_a_sequence_may_have_more_than_2_31_rows():  # 9 GB
    steps, batch = 2**30 + 512, 2
    one, shape = np.ones((1, 1), np.float32), (steps, batch, 1)
    this = case(1, 1, 1, batch, relu=True, initial_state=False, d_final_state=False)
    this = replace(this, input=np.broadcast_to(one, shape), d_output=np.broadcast_to(one, shape))
    this = replace(this, input_weights=one, recurrent_weights=0 * one, input_bias=one[0], recurrent_bias=0 * one[0])
    output, final = forward(this, 2)
    assert (final == 2).all()
    assert (output[:: 2**27] == 2).all()
    assert (output[-1] == 2).all()
    gradients = backward(this, output, 2, wanted=("d_input_weights", "d_bias"))
    # sums of whole groups of 1024, of which float32 holds every multiple up to here
    assert gradients["d_input_weights"] == gradients["d_bias"] == steps * batch
