"""The shipped data are what data/README.md says they are."""

import csv
import runpy
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data"

CLASSES = {
    "chinese_genres_train": {"元曲": 3336, "宋词": 3321, "楚辞": 1843, "诗经": 1024, "论语": 295},
    "chinese_genres_test": {"元曲": 664, "宋词": 679, "楚辞": 374, "诗经": 216, "论语": 67},
    "names_train": {
        "Irish": 2034, "Czech": 1613, "Dutch": 1156, "Spanish": 1048, "German": 1045, "Italian": 980,
        "English": 735, "French": 668, "Croatian": 656, "Zulu": 649, "Estonian": 397, "Finnish": 342,
    },
    "names_test": {
        "Irish": 343, "Czech": 294, "Dutch": 239, "Spanish": 168, "German": 162, "Italian": 164,
        "English": 120, "French": 117, "Croatian": 131, "Zulu": 137, "Estonian": 72, "Finnish": 53,
    },
}  # fmt: skip
LENGTHS = {"chinese_genres": (6, 40), "names": (2, 40)}


def rows(name: str) -> list[list[str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, strict=True))


@pytest.fixture(scope="module")
def make() -> dict[str, Any]:
    return runpy.run_path(str(DATA / "make.py"))


@pytest.mark.parametrize("name", CLASSES)
def test_columns_rows_and_labels_are_as_documented(name: str) -> None:
    header, *body = rows(name)
    assert header == ["text", "label"]
    assert {len(row) for row in body} == {2}
    counts = {label: sum(row[1] == label for row in body) for label in {row[1] for row in body}}
    assert counts == CLASSES[name]
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for label, count in counts.items():
        assert label in readme
        assert f"{count:,}" in readme


@pytest.mark.parametrize("name", CLASSES)
def test_files_are_plain_utf8_with_unix_line_ends(name: str) -> None:
    content = (DATA / f"{name}.csv").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in content
    assert b"\0" not in content
    assert content.endswith(b"\n")
    content.decode("utf-8")


@pytest.mark.parametrize("name", LENGTHS)
def test_no_text_occurs_twice_not_even_across_the_parts(name: str) -> None:
    texts = [row[0] for part in ("train", "test") for row in rows(f"{name}_{part}")[1:]]
    assert len(set(texts)) == len(texts)
    assert (min(map(len, texts)), max(map(len, texts))) == LENGTHS[name]
    assert all(text == text.strip() for text in texts)


def test_lines_hold_only_what_the_cleaning_leaves(make: dict[str, Any]) -> None:
    assert make["clean"]("子曰：“学而时习之，\u3000不亦说乎？”") == "子曰学而时习之，不亦说乎？"
    for part in ("train", "test"):
        assert all(make["clean"](text) == text for text, _ in rows(f"chinese_genres_{part}")[1:])


def test_genres_are_split_as_the_script_splits(make: dict[str, Any]) -> None:
    train, test = (make["read"](DATA / f"chinese_genres_{part}.csv") for part in ("train", "test"))
    assert make["split"](train + test) == (train, test)


def test_a_text_under_two_labels_is_dropped(make: dict[str, Any]) -> None:
    texts = {"Italian": {"Ferrari", "Rossi"}, "French": {"Ferrari", "Dumas"}}
    assert make["without_shared"](texts) == {"Italian": {"Rossi"}, "French": {"Dumas"}}


@pytest.mark.parametrize("name", CLASSES)
def test_the_script_writes_the_bytes_that_it_read(name: str, make: dict[str, Any], tmp_path: Path) -> None:
    make["write"](tmp_path / "copy.csv", make["read"](DATA / f"{name}.csv"))
    assert (tmp_path / "copy.csv").read_bytes() == (DATA / f"{name}.csv").read_bytes()


def test_a_draw_is_the_same_every_time_and_holds_no_more_than_asked(make: dict[str, Any]) -> None:
    texts = {"a": {f"a{i}" for i in range(3000)}, "b": {f"b{i}" for i in range(1500)}}
    train, test = make["draw"](texts, 2000)
    assert (train, test) == make["draw"](texts, 2000)
    assert len(test) == 2000
    assert len(train) == 1500
    assert not set(train) & set(test)


def test_the_licence_notices_of_both_packages_are_shipped() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for notice in ("(c) 2016 JackeyGao", "(c) 2012 Daniele Faraglia", "WITHOUT WARRANTY OF ANY KIND"):
        assert notice in readme


@pytest.mark.parametrize("name", ["tang_poems", "moby_dick"])
def test_texts_are_as_long_as_documented(name: str) -> None:
    text = (DATA / f"{name}.txt").read_text(encoding="utf-8")
    assert f"{len(text):,} characters" in (DATA / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    assert "\0" not in text
    assert text.endswith("\n")


def test_no_poem_is_punctuated_in_both_parts() -> None:
    parts = [
        (DATA / f"punctuation_{part}.conll").read_text(encoding="utf-8").split("\n\n") for part in ("train", "test")
    ]
    assert [len(poems) for poems in parts] == [1000, 200]
    assert not set(parts[0]) & set(parts[1])
    assert {line.split(" ")[1] for poems in parts for poem in poems for line in poem.split("\n") if line} <= {
        *"O，。？！；、："
    }


def test_series_and_vowels_are_as_long_as_documented() -> None:
    co2, elnino, sunspots = ((DATA / f"{name}.csv").read_text().splitlines() for name in ("co2", "elnino", "sunspots"))
    assert (len(co2), sum(line.endswith(",") for line in co2), len(elnino), len(sunspots)) == (2285, 59, 62, 310)
    examples = [
        (DATA / f"japanese_vowels_{part}.ts").read_text().partition("@data\n")[2].splitlines()
        for part in ("train", "test")
    ]
    assert [len(lines) for lines in examples] == [270, 370]
