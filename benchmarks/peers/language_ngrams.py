"""Predict characters by interpolated n-grams with Witten and Bell's weights.

With c(h) the times that a context h was seen and t(h) how many characters were seen to follow it::

    P(x | h) = (c(h x) + t(h) P(x | h')) / (c(h) + t(h))        h' is h without its first character

and below all, every character of the training part, and one for all others, is as likely as another.
"""

import math
from collections import Counter, defaultdict

from shared import paths, report, timed

ORDER = 6


class NGrams:
    def __init__(self, text: str) -> None:
        self.characters = len(set(text)) + 1
        self.following: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(ORDER)]
        for place, character in enumerate(text):
            for length, following in enumerate(self.following[: place + 1]):
                following[text[place - length : place]][character] += 1
        self.totals = [{context: sum(counts.values()) for context, counts in each.items()} for each in self.following]

    def probability(self, text: str, place: int) -> float:
        """Return that of the character at a place, by those before it."""
        probability = 1 / self.characters
        for length in range(min(place, ORDER - 1) + 1):
            context = text[place - length : place]
            counts = self.following[length].get(context)
            if counts is None:
                break
            total, kinds = self.totals[length][context], len(counts)
            probability = (counts[text[place]] + kinds * probability) / (total + kinds)
        return probability


def main() -> None:
    train, test = (path.read_text(encoding="utf-8") for path in paths())
    model, training = timed(lambda: NGrams(train))
    logarithms, prediction = timed(lambda: [math.log2(model.probability(test, place)) for place in range(len(test))])
    report(training, prediction, bits_per_character=-math.fsum(logarithms) / len(test))


if __name__ == "__main__":
    main()
