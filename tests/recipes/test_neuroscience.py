"""The page of networks of neurons: its excerpts print what it shows, and its program learns its task."""

import re
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import torch

from tests.package.test_documentation import blocks
from tests.tutorial.pages import DECISION, NEUROSCIENCE_PAGES, SHOWN, output_of


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    """What the program of the page defines."""
    torch.manual_seed(0)
    return run_path(str(DECISION))


@pytest.mark.parametrize("page", NEUROSCIENCE_PAGES, ids=lambda page: page.name)
def test_its_excerpts_print_what_it_shows(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    names: dict[str, Any] = {}
    for excerpt in blocks(page, "python"):
        exec(excerpt, names)
    assert capsys.readouterr().out == "".join(blocks(page, "text"))


def test_motion_is_stronger_to_its_side_while_it_lasts(program: dict[str, Any]) -> None:
    coherence = torch.tensor([0.5, -0.5]).repeat_interleave(300)
    inputs = program["trials"](coherence)
    during = inputs[program["MOVES"]].view(40, 2, 300, 2).mean((0, 2))
    torch.testing.assert_close(during, torch.tensor([[0.75, 0.25], [0.25, 0.75]]), atol=0.03, rtol=0)
    assert not inputs[: program["FIXATION"]].any()
    assert not inputs[program["MOVES"].stop :].any()


def test_a_network_keeps_its_signs_and_connections_and_is_drawn(program: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    network = program["Network"]()
    before = network.rnn.weight_hh_l0.detach().clone()
    assert network.obeys()
    program["learn"](network, 3)
    assert network.obeys()
    assert not torch.equal(network.rnn.weight_hh_l0, before)
    coherence = program["COHERENCES"].repeat_interleave(20)
    with torch.no_grad():
        rates, _ = network(program["trials"](coherence))
    picture = tmp_path / "decision.png"
    program["draw"](str(picture), network.excites, coherence, rates, coherence > torch.randn(len(coherence)))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_program_learns_and_the_pages_show_what_it_prints() -> None:
    printed = output_of(DECISION)
    assert printed.count("True") == 2
    shares = [float(share) for share in re.findall(r"\d+\.\d", printed.split("right, %")[1])]
    assert shares[0] < 3 < 30 < shares[5] < 70 < 97 < shares[-1]
    for page in NEUROSCIENCE_PAGES:
        shown = SHOWN.search(page.read_text(encoding="utf-8"))
        assert shown is not None
        plain = re.compile(r" *-?\d+\.\d+")
        assert plain.sub("#", shown[3]) == plain.sub("#", printed), "run python -m tests.tutorial.pages"
