"""Every program of the tutorial prints the numbers that it must, and both pages show just that."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from .pages import EXCERPT, PAGES, PROGRAMS, SHOWN, output_of

BIDIRECTIONAL = """
tensor([[[ 0.3936,  0.7608, -0.1589, -0.0829,  0.1864, -0.5768]],

        [[ 0.1960,  0.6819, -0.0645,  0.1314,  0.1977, -0.5505]],

        [[ 0.3993,  0.7820, -0.0925, -0.2763,  0.5750, -0.3795]]])
"""
BIDIRECTIONAL_H_N = """
tensor([[[ 0.3993,  0.7820, -0.0925]],

        [[-0.0829,  0.1864, -0.5768]]])
"""
TWO_SEQUENCES = """
tensor([[[ 0.6295, -0.5197,  0.2157, -0.0886,  0.6734, -0.1085],
         [ 0.7314, -0.3738,  0.0418, -0.2117,  0.5020,  0.1213]],

        [[ 0.4572, -0.2470,  0.1893, -0.0327,  0.3821,  0.2097],
         [ 0.5103, -0.3171,  0.3264,  0.1896,  0.6496, -0.0635]],

        [[ 0.5079, -0.2033, -0.0015, -0.0311,  0.5142,  0.0714],
         [ 0.6826, -0.1805, -0.0191,  0.0802,  0.5302,  0.1724]]])
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs that draw are told to draw to."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def printed(pictures: Path) -> Iterator[dict[str, str]]:
    """The output of every program by its number, 01 to 10."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # nothing here is large enough for two
    drawing = find_spec("matplotlib") is not None
    yield {
        number: output_of(program, *[str(pictures / f"{number}.png")] * drawing)
        for program in PROGRAMS
        for number in [program.name[:2]]
    }
    torch.set_num_threads(threads)


def test_there_are_ten_programs_in_order() -> None:
    assert [program.name[:2] for program in PROGRAMS] == [f"{i:02}" for i in range(1, 11)]


def test_each_program_can_be_read_at_once() -> None:
    lengths = {program.name: len(program.read_text(encoding="utf-8").splitlines()) for program in PROGRAMS}
    assert {name: n for name, n in lengths.items() if n > 110} == {}


def test_a_program_runs_with_one_command_from_any_folder(printed: dict[str, str], tmp_path: Path) -> None:
    program = PROGRAMS[2]
    result = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == printed[program.name[:2]]


def test_1_a_bag_cannot_tell_the_sentences_apart_and_a_recurrent_network_can(printed: dict[str, str]) -> None:
    before, bag, recurrent = printed["01"].split("\n\n")
    assert "The bags are equal: True\nThe sequences are equal: False" in before
    assert bag.count("0.50") == 4
    assert "  我爱你  我 loves 1.00  你 loves 0.00\n  你爱我  我 loves 0.00  你 loves 1.00" in recurrent


def test_2_the_formula_by_hand_equals_the_layer(printed: dict[str, str]) -> None:
    states = re.findall(r"h = tanh\(sum\) = (\[.*\])", printed["02"])
    assert len(states) == 3
    by_layer = printed["02"].split("one row a step:\n")[1]
    assert all(state in by_layer for state in states)
    assert printed["02"].endswith("Equal to the hand computation: True\n")


def test_3_shapes_of_input_output_and_parameters(printed: dict[str, str]) -> None:
    parameters = re.findall(r"^  (\w+_l0) +(\(.*\))$", printed["03"], re.MULTILINE)
    assert parameters == [
        ("weight_ih_l0", "(4, 2)"),
        ("weight_hh_l0", "(4, 4)"),
        ("bias_ih_l0", "(4,)"),
        ("bias_hh_l0", "(4,)"),
    ]
    shapes = re.findall(r"^  (input|output|h_n) .*\) +(\(.*\))$", printed["03"], re.MULTILINE)
    assert shapes[:3] == [("input", "(3, 1, 2)"), ("output", "(3, 1, 4)"), ("h_n", "(1, 1, 4)")]
    assert shapes[3:] == [("input", "(1, 3, 2)"), ("output", "(1, 3, 4)"), ("h_n", "(1, 1, 4)")]
    assert printed["03"].count(": True\n") == 3


def test_4_a_second_layer_adds_parameters_and_a_row_of_h_n(printed: dict[str, str]) -> None:
    for line in ("weight_ih_l1  (4, 4)", "weight_hh_l1  (4, 4)", "bias_ih_l1    (4,)", "bias_hh_l1    (4,)"):
        assert f"  {line}\n" in printed["04"]
    assert "output (3, 1, 4)" in printed["04"]
    assert "h_n (2, 1, 4)" in printed["04"]
    assert printed["04"].count(": True\n") == 2


def test_5_both_directions_to_four_decimals(printed: dict[str, str]) -> None:
    assert BIDIRECTIONAL in printed["05"]
    assert BIDIRECTIONAL_H_N in printed["05"]
    assert re.findall(r"(\w+)_reverse  ", printed["05"]) == [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
    ]
    assert printed["05"].count(": True\n") == 3


def test_6_dropout_acts_between_layers_and_only_while_training(printed: dict[str, str]) -> None:
    rows = re.findall(r"^  (tensor.*)$", printed["06"], re.MULTILINE)
    training, seeded, evaluating = rows[:3], rows[3:5], rows[5:]
    assert len(set(training)) == 3
    assert len(set(seeded)) == len(set(evaluating)) == 1
    assert "the state of layer 0 is the same in both modes: True" in printed["06"]
    assert "the output of layer 1 is the same in both modes: False" in printed["06"]
    assert "set to zero: 0\n" in printed["06"]
    assert printed["06"].endswith("UserWarning\n")


def test_7_cell_and_layer_to_four_decimals_and_bit_for_bit(printed: dict[str, str]) -> None:
    assert printed["07"].count(TWO_SEQUENCES) == 2
    assert printed["07"].endswith("Equal to the last bit: True\n")


def test_8_the_three_heads_learn_their_lines(printed: dict[str, str]) -> None:
    right = re.findall(r"after training (\d+) of (\d+) right", printed["08"])
    assert right == [("8", "8"), ("80", "80"), ("72", "72")]
    for command in ("train classify", "train tag", "train language"):
        assert f"  elman {command} data/" in printed["08"]


def test_9_the_sentence_that_was_kept_back_is_understood(printed: dict[str, str]) -> None:
    losses = [float(loss) for loss in re.findall(r"after +\d+ steps +(\d\.\d\d)", printed["09"])]
    assert losses == sorted(losses, reverse=True)
    last_lines = [part.splitlines()[3] for part in printed["09"].split("\n\n")[1:]]
    assert [line.split("   ")[-1] for line in last_lines] == [f"{lover} loves: 1.00" for lover in "我你她"]


def test_10_gates_keep_what_an_elman_state_forgets(printed: dict[str, str]) -> None:
    forgetting, gru, lstm, all_three = printed["10"].split("\n\n")
    assert re.findall(r"characters: (\d+) of 400 right", forgetting) == ["400", "400", "100"]
    assert re.findall(r"  (\w+) +(\d+) of 400 right", all_three) == [("RNN", "100"), ("GRU", "400"), ("LSTM", "400")]
    for by_hand, names in ((gru, "rznh"), (lstm, "ifgoch")):
        assert re.findall(r"(\w) = \[", by_hand) == [*names] * 3
        assert by_hand.endswith("Equal to the layer: True")


def test_10_of_the_first_character_an_elman_state_keeps_nothing(printed: dict[str, str]) -> None:
    apart = [[float(value) for value in re.findall(r"\d\.\d\d", row)] for row in printed["10"].splitlines()[-3:]]
    assert [row[-1] > row[0] for row in apart] == [False, True, True]
    assert apart[0][-1] == 0


@pytest.mark.parametrize("number", ["09", "10"])
def test_a_program_draws_where_it_is_told_to(number: str, printed: dict[str, str], pictures: Path) -> None:
    pytest.importorskip("matplotlib")
    assert (pictures / f"{number}.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_in_the_answers_to_the_exercises_are_right() -> None:
    from elman.nn import GRU, LSTM, RNN

    layers = [RNN(10, 20), RNN(10, 20, num_layers=2), RNN(10, 20, bidirectional=True), GRU(10, 20), LSTM(10, 20)]
    counts = [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers]
    for page in PAGES:
        answers = page.read_text(encoding="utf-8")
        assert all(f"= {count:,}" in answers for count in counts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_show_what_the_programs_print(page: Path, printed: dict[str, str]) -> None:
    shown = {match[2]: match[3] for match in SHOWN.finditer(page.read_text(encoding="utf-8"))}
    assert shown == {program.name: printed[program.name[:2]] for program in PROGRAMS}, (
        "run python -m tests.tutorial.pages"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_excerpts_in_the_pages_stand_in_the_programs(page: Path) -> None:
    sources = [program.read_text(encoding="utf-8") for program in PROGRAMS]
    excerpts = EXCERPT.findall(page.read_text(encoding="utf-8"))
    assert excerpts
    assert all(any(excerpt in source for source in sources) for excerpt in excerpts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_lines_beside_the_equations_stand_in_the_program(page: Path) -> None:
    program = {line.partition("  #")[0].strip() for line in PROGRAMS[9].read_text(encoding="utf-8").splitlines()}
    lines = re.findall(r"^\|.*\$.*\| `(.* = .*)` \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 12
    assert {*lines} <= program


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert {other.name for other in PAGES if other != page} <= set(links)
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_pages_have_the_same_sections_and_excerpts() -> None:
    english, chinese = (page.read_text(encoding="utf-8") for page in PAGES)
    assert EXCERPT.findall(english) == EXCERPT.findall(chinese)
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", chinese, re.MULTILINE))
