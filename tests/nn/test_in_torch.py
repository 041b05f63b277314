"""``elman.nn.in_torch``, ``install`` and ``uninstall``: ours under PyTorch's names."""

import io
import pickle
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import nn

import elman.nn
from elman.nn._pytorch import RECURRENT

PLACES = [torch.nn, torch.nn.modules, torch.nn.modules.rnn]
BEFORE = {name: getattr(nn, name) for name in RECURRENT}


def now() -> list[dict[str, type]]:
    return [{name: getattr(place, name) for name in RECURRENT} for place in PLACES]


THEIRS = [BEFORE] * 3
OURS = [{name: getattr(elman.nn, name) for name in RECURRENT}] * 3


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    assert now() == THEIRS
    assert "elman" not in str(torch.serialization.get_safe_globals())


def test_a_block_puts_ours_in_place_and_takes_them_away() -> None:
    with elman.nn.in_torch():
        assert now() == OURS
        from torch.nn import RNN

        assert type(nn.Sequential(RNN(3, 4))[0]) is elman.nn.RNN
        assert type(nn.Linear(3, 4)).__module__ == "torch.nn.modules.linear"
        assert type(nn.TransformerEncoderLayer(4, 2)).__module__.startswith("torch.")
    assert now() == THEIRS


def test_blocks_nest_and_end_with_an_error() -> None:
    with elman.nn.in_torch():
        with pytest.raises(RuntimeError, match="inside"), elman.nn.in_torch():
            raise RuntimeError("inside")
        assert now() == OURS
    assert now() == THEIRS
    block = elman.nn.in_torch()
    with block, block:
        assert now() == OURS
    assert now() == THEIRS


def test_a_function_can_be_decorated() -> None:
    @elman.nn.in_torch()
    def made() -> nn.Module:
        return nn.RNN(3, 4)

    assert [type(made()), type(made())] == [elman.nn.RNN] * 2
    assert now() == THEIRS


def test_installing_twice_is_installing_once() -> None:
    elman.nn.install()
    elman.nn.install()
    with elman.nn.in_torch():
        pass
    assert now() == OURS
    elman.nn.uninstall()
    assert now() == THEIRS
    elman.nn.uninstall()
    assert now() == THEIRS


def test_within_a_block_uninstalling_waits_for_its_end() -> None:
    with elman.nn.in_torch():
        elman.nn.install()
        elman.nn.uninstall()
        assert now() == OURS
    assert now() == THEIRS


def test_what_others_put_there_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(BEFORE["RNN"]):
        pass

    monkeypatch.setattr(torch.nn, "RNN", Own)
    with elman.nn.in_torch():
        assert nn.RNN is elman.nn.RNN
    assert nn.RNN is Own
    with elman.nn.in_torch():
        torch.nn.RNN = Own
    assert nn.RNN is Own
    monkeypatch.undo()


# Before 2.6 PyTorch reads no module with weights_only, its own neither.
reads_modules = pytest.mark.skipif(torch.__version__[:4] in ("2.4.", "2.5."), reason="of PyTorch 2.6")


@pytest.mark.parametrize("weights_only", [False, pytest.param(True, marks=reads_modules)])
@pytest.mark.parametrize("layer", [elman.nn.RNN(3, 4), *(cls(3, 4) for cls in BEFORE.values())])
def test_layers_in_a_file_saved_whole_are_read_as_ours(layer: nn.Module, weights_only: bool) -> None:
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    with elman.nn.in_torch():
        loaded = torch.load(buffer, weights_only=weights_only)
    assert type(loaded).__module__ == "elman.nn"
    assert loaded.state_dict().keys() == layer.state_dict().keys()


@pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="of PyTorch 2.5")
def test_what_the_user_allowed_torch_load_stays_allowed() -> None:
    with torch.serialization.safe_globals([elman.nn.RNN]):
        with elman.nn.in_torch():
            pass
        assert str(torch.serialization.get_safe_globals()).count("elman") == 1


def test_torchscript_compiles_pytorchs_layer_all_the_same() -> None:
    with elman.nn.in_torch(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.RNN(3, 4))
        first = torch.jit.script(model)
        second = torch.jit.script(nn.Sequential(nn.RNNCell(3, 4)))
    assert first(torch.zeros(2, 3))[0].shape == (2, 4)
    assert second(torch.zeros(2, 3)).shape == (2, 4)


def test_assigning_the_class_by_hand_poisons_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn, "RNN", elman.nn.RNN)
    monkeypatch.setattr(torch.nn, "RNNCell", elman.nn.RNNCell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        programs = [torch.jit.script(nn.Sequential(layer(3, 4))) for layer in (nn.RNN, nn.RNNCell, nn.GRU, nn.LSTM)]
    assert [type(program(torch.zeros(2, 3))) for program in programs] == [tuple, torch.Tensor, tuple, tuple]
    assert torch.compile(nn.RNN(3, 4), backend="eager")(torch.zeros(2, 3))[0].shape == (2, 4)
    monkeypatch.undo()


def test_ours_are_pickled_while_in_place() -> None:
    with elman.nn.in_torch():
        assert type(pickle.loads(pickle.dumps(nn.RNN(3, 4)))) is elman.nn.RNN
