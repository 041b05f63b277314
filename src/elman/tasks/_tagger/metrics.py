"""How well predicted tags agree with the true ones."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from elman.runtime._tagger.tags import marked

__all__ = ["tagging_report"]

Tags = Sequence[Sequence[str]]


def tagging_report(truth: Tags, predicted: Tags, scheme: str) -> dict[str, Any]:
    """Compare predicted tags with true ones.

    A span is right if its type and both its ends are, the definition of ``conlleval``. Of plain tags, each other
    than ``O`` counts as a span of one token.

    Args:
        truth: the true tags of each sentence; some may be unknown to the model.
        predicted: the predicted tags of each.
        scheme: what the tags are written in.

    Returns:
        ``precision``, ``recall`` and ``f1`` of all spans; ``accuracy``, the share of the tokens whose tag is right;
        ``per_type``, for each type ``precision``, ``recall``, ``f1`` and ``support``, its true spans.
    """
    true, found, right = Counter[str](), Counter[str](), Counter[str]()
    tokens = agreeing = 0
    for tags, guesses in zip(truth, predicted, strict=True):
        spans, guessed = set(marked(tags, scheme)), set(marked(guesses, scheme))
        for counter, of_sentence in ((true, spans), (found, guessed), (right, spans & guessed)):
            counter.update(span.type for span in of_sentence)
        tokens += len(tags)
        agreeing += sum(tag == guess for tag, guess in zip(tags, guesses, strict=True))
    types = sorted(true | found)
    return {
        **_scores(right.total(), found.total(), true.total()),
        "accuracy": agreeing / max(tokens, 1),
        "per_type": {t: {**_scores(right[t], found[t], true[t]), "support": true[t]} for t in types},
    }


def _scores(right: int, found: int, true: int) -> dict[str, float]:
    return {
        "precision": right / max(found, 1),
        "recall": right / max(true, 1),
        "f1": 2 * right / max(found + true, 1),
    }
