"""The programs of the recipes show what their page says of them, and its other programs run."""

import re
import runpy
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.package.test_documentation import blocks
from tests.tutorial.pages import RECIPES, RECIPES_PAGES, ROOT, SHOWN, output_of

POLICY = ROOT / "examples" / "recipes" / "ppo.py"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # nothing here is large enough for two
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures") / "eight.png"


@pytest.fixture(scope="module")
def printed(picture: Path) -> dict[str, str]:
    """The output of each program by its name."""
    arguments = {"initial_state.py": [str(picture)] * (find_spec("matplotlib") is not None)}
    return {program.name: output_of(program, *arguments.get(program.name, [])) for program in RECIPES}


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    """What the program of the policy defines."""
    pytest.importorskip("gymnasium")
    return runpy.run_path(str(POLICY))


def test_lengths_have_the_bits_of_the_packed_form_and_read_no_padding(printed: dict[str, str]) -> None:
    assert re.findall(r": (True|False)\n", printed["lengths.py"]) == ["True"] * 3


def test_speakers_are_told_apart_with_their_lengths_alone(printed: dict[str, str]) -> None:
    right, without = (int(count) for count in re.findall(r": (\d+) of 370", printed["lengths.py"]))
    assert right > 320 > 240 > without


def test_a_figure_from_a_learned_state_is_closer_for_every_seed(printed: dict[str, str]) -> None:
    zeros, learned = (
        [float(error) for error in re.findall(r"\d\.\d+", line)]
        for line in printed["initial_state.py"].splitlines()[2:]
    )
    assert len(zeros) == 6
    assert all(error < of_zeros for of_zeros, error in zip(zeros, learned, strict=True))


def test_a_figure_is_drawn_where_it_is_told_to(printed: dict[str, str], picture: Path) -> None:
    pytest.importorskip("matplotlib")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_policy_with_resets_has_the_bits_of_the_loop_and_its_gradients(policy: dict[str, Any]) -> None:
    torch.manual_seed(0)
    agents = [policy["Agent"](by) for by in ("resets", "loop", "torch")]
    seen, state, begins = torch.randn(20, 4, 2), torch.randn(1, 4, policy["HIDDEN"]), torch.rand(20, 4) < 0.2
    results, gradients = [], []
    for agent in agents:
        agent.load_state_dict(agents[0].state_dict())
        choice, values, after = agent(seen, state, begins)
        (choice.logits[..., 0].sum() + values.sum() + after.sum()).backward()
        results.append([choice.logits, values, after])
        gradients.append([parameter.grad for parameter in agent.parameters()])
    assert all(torch.equal(x, y) for x, y in zip(results[0], results[1], strict=True))
    torch.testing.assert_close(results[0], results[2])
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])


@pytest.mark.usefixtures("policy")
def test_a_policy_begins_to_learn() -> None:
    printed = output_of(POLICY, "--updates", "1")
    assert re.fullmatch(r" *2048 steps +\d+\.\d s  mean return  19\.3\n", printed)


def test_advantages_end_where_an_episode_ends(policy: dict[str, Any]) -> None:
    rewards, values = torch.ones(3, 1), torch.tensor([[2.0], [3.0], [4.0], [5.0]])
    begins = torch.tensor([[True], [False], [True], [False]])
    last = 1 + policy["DISCOUNT"] * 5 - 4
    before_the_end = 1 - 3
    first = 1 + policy["DISCOUNT"] * (3 + policy["LAMBDA"] * before_the_end) - 2
    expected = torch.tensor([[first], [before_the_end], [last]])
    torch.testing.assert_close(policy["advantages_of"](rewards, values, begins), expected)


@pytest.mark.parametrize("page", RECIPES_PAGES, ids=lambda page: page.name)
def test_the_page_shows_what_the_programs_print(page: Path, printed: dict[str, str]) -> None:
    """But for the figures of training, whose last digits are PyTorch's."""
    shown = {match[2]: match[3] for match in SHOWN.finditer(page.read_text(encoding="utf-8"))}
    trained = re.compile(r"\d+ of|\d\.\d+")
    assert {name: trained.sub("#", text) for name, text in shown.items()} == {
        name: trained.sub("#", text) for name, text in printed.items()
    }, "run python -m tests.tutorial.pages"


def test_the_programs_of_the_page_run() -> None:
    names: dict[str, Any] = {}
    for program in blocks(RECIPES_PAGES[0], "python"):
        exec(program, names)
    assert names["resets"].tolist() == [[False, False, True, False]]
    assert names["loss"].isfinite()
