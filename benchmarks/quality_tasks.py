"""The tasks of the table of quality: their files, our command, the peers."""

from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["TASKS", "Peer", "Task"]

DATA = Path(__file__).parents[1] / "data"


@dataclass(frozen=True)
class Peer:
    """A script of the folder ``peers``, which prints its figures as one JSON object."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is trained and measured.

    Args:
        name: as ``--only`` names it.
        verb: of ``elman train``.
        measures: the keys of the report that the table shows.
        peers: what people would use instead.
        train, test: names of files; without ``test``, the end of ``train`` is kept for it.
        options: of ``elman train`` beside the defaults: what the task is, no tuning.
        share: of the characters or rows of ``train`` that are trained on, where there is no ``test``.
        snips: whether the files are those of SNIPS.
        folder: where the files lie.
    """

    name: str
    verb: str
    measures: tuple[str, ...]
    peers: tuple[Peer, ...]
    train: str
    test: str = ""
    options: tuple[str, ...] = ()
    share: float = 1.0
    snips: bool = False
    folder: Path = DATA

    def found(self, snips: Path | None) -> "Task | None":
        """Return the task with the folder in which its files are; None if they are not there."""
        folder = snips if self.snips else self.folder
        return replace(self, folder=folder) if folder and (folder / self.train).is_file() else None

    def split(self, folder: Path) -> tuple[Path, Path]:
        """Return the files to train on and to test by; those that are cut from one are written to a folder."""
        train = self.folder / self.train
        if self.test:
            return train, self.folder / self.test
        content = train.read_text(encoding="utf-8")
        header, parts = "", [*content]
        if train.suffix == ".csv":
            header, *parts = content.splitlines(keepends=True)
        cut = int(len(parts) * self.share)
        files = folder / f"train{train.suffix}", folder / f"test{train.suffix}"
        for file, part in zip(files, (parts[:cut], parts[cut:]), strict=True):
            file.write_text(header + "".join(part), encoding="utf-8")
        return files


OF_CLASSES = ("accuracy", "macro_f1")
TEXTS = (
    Peer("TF-IDF, logistic regression (scikit-learn)", "texts_tfidf.py"),
    Peer("fastText, tuned by itself for 60 s", "texts_fasttext.py"),
)
CRF = (Peer("python-crfsuite", "tags_crf.py"),)
NGRAMS = (Peer("interpolated 6-grams (Witten-Bell)", "language_ngrams.py"),)


def _series(name: str, time: str, horizon: int, season: int) -> Task:
    peers = (Peer("ETS (statsmodels)", "series_ets.py", (str(horizon), str(season))),)
    options = ("--time", time, "--horizon", str(horizon))
    return Task(name, "forecast", ("mae",), peers, f"{name}.csv", options=options, share=0.8)


def _language(name: str, file: str) -> Task:
    return Task(name, "language", ("bits_per_character",), NGRAMS, file, share=0.9)


TASKS = (
    Task("genres", "classify", OF_CLASSES, TEXTS, "chinese_genres_train.csv", "chinese_genres_test.csv"),
    Task("surnames", "classify", OF_CLASSES, TEXTS, "names_train.csv", "names_test.csv"),
    Task("intents", "classify", OF_CLASSES, TEXTS, "snips_intents_train.csv", "snips_intents_test.csv", snips=True),
    Task("slots", "tag", ("f1", "accuracy"), CRF, "snips_slots_train.conll", "snips_slots_test.conll", snips=True),
    Task("punctuation", "tag", ("f1", "accuracy"), CRF, "punctuation_train.conll", "punctuation_test.conll"),
    _language("moby", "moby_dick.txt"),
    _language("poems", "tang_poems.txt"),
    _series("co2", "date", 8, 52),
    _series("elnino", "YEAR", 6, 12),
    _series("sunspots", "YEAR", 3, 11),
    Task(
        "vowels",
        "classify",
        OF_CLASSES,
        (
            Peer("MiniRocket (aeon)", "vowels.py", ("minirocket",)),
            Peer("nearest neighbour, DTW (aeon)", "vowels.py", ("dtw",)),
        ),
        "japanese_vowels_train.ts",
        "japanese_vowels_test.ts",
    ),
)
