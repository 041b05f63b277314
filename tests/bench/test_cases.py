import pytest

from elman import InputError
from elman.bench._cases import KINDS, SHAPES, Case, Shape, cases_of
from elman.bench._contenders import PEERS, Contender, peers_of


def test_a_shape_is_four_sizes():
    assert Shape.parse("100,32,64,128") == (100, 32, 64, 128)
    assert str(Shape(100, 32, 64, 128)) == "100,32,64,128"


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1,2,3,0", "1.5,2,3,4"])
def test_anything_else_is_refused(text):
    expected = f"shape: expected STEPS,BATCH,INPUT,HIDDEN, four integers of at least 1, got {text!r}"
    with pytest.raises(InputError) as caught:
        Shape.parse(text)
    assert str(caught.value) == expected


def test_all_kinds_at_all_shapes_unless_told_otherwise():
    cases = cases_of([], [])
    assert [case.kind for case in cases].count("inference") == len(SHAPES) == 11
    assert {case.kind for case in cases} == set(KINDS)
    own = [Shape(3, 1, 2, 4), Shape(1, 1, 5, 7)]
    assert cases_of(["training"], own) == [Case("training", shape) for shape in own]
    assert cases_of(["step"], own) == [Case("step", own[1])]
    assert [case.kind for case in cases_of([], own[:1])] == ["inference", "training"]


def test_kinds_and_single_steps_that_there_are_not_are_refused():
    with pytest.raises(InputError, match="what: expected inference, training or step, got 'speed'"):
        cases_of(["speed"], [])
    with pytest.raises(InputError, match="what: expected inference or training, or a --shape that begins with 1,1"):
        cases_of(["step"], [Shape(3, 1, 2, 4)])


def test_training_has_three_times_the_operations_and_every_gate_as_many_again():
    shape = Shape(2, 3, 5, 7)
    assert Case("inference", shape).flops == 2 * 2 * 3 * 7 * (5 + 7)
    assert Case("training", shape).flops == 3 * Case("inference", shape).flops
    assert Case("inference", shape, "gru").flops == 3 * Case("inference", shape).flops
    assert Case("training", shape, "lstm").flops == 4 * Case("training", shape).flops


def test_a_run_has_one_cell_the_plain_one_unless_told_otherwise():
    assert {case.cell for case in cases_of([], [])} == {"rnn"}
    assert {case.cell for case in cases_of(["step"], [], "lstm")} == {"lstm"}
    with pytest.raises(InputError, match="cell: expected rnn, gru or lstm, got 'LSTM'"):
        cases_of([], [], "LSTM")


def test_peers_are_chosen_by_name():
    assert peers_of([]) == list(PEERS)
    assert [peer.name for peer in peers_of(["onednn", "torch"])] == ["torch", "onednn"]
    with pytest.raises(InputError, match=r"peer: expected torch, jax, onnxruntime, .*, got 'keras'"):
        peers_of(["keras"])


def test_a_missing_peer_says_what_to_install():
    assert Contender("x", "x", ("numpy",)).missing() is None
    assert Contender("x", "x", ("numpy", "no-such-package")).missing() == "pip install numpy no-such-package"
