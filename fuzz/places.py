"""Where inputs lie: the corpus in the repository; what campaigns reach and find, in ``build``."""

from pathlib import Path

__all__ = ["CORPUS", "FOUND", "GROWN", "corpus_files"]

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
GROWN = HERE.parent / "build" / "fuzz" / "grown"
FOUND = HERE.parent / "build" / "fuzz" / "found"


def corpus_files(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())
