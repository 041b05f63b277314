"""Words of a text, as Unicode has them, and as older models have them."""

from typing import Literal

__all__ = ["NEWEST", "OLDER", "SPACELESS", "Segmentation", "kind_of_tokens"]

Segmentation = Literal["older", "UAX 29"]
OLDER: Segmentation = "older"
NEWEST: Segmentation = "UAX 29"

# Scripts written without spaces: Chinese, Japanese, Thai, Lao, Khmer, Burmese.
SPACELESS = r"\u2e80-\u2fff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff" \
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff"  # fmt: skip


def kind_of_tokens(tokens: str, segmentation: str) -> str:
    """Return how texts are split: ``char``, ``word``, or ``older word`` for a model from before UAX 29."""
    return f"{OLDER} word" if (tokens, segmentation) == ("word", OLDER) else tokens
