"""Tag tokens with a conditional random field (python-crfsuite) on the usual features of a token and its neighbours."""

import tempfile
from pathlib import Path

import pycrfsuite
from shared import Sentence, f1_of_spans, paths, read_sentences, report, timed

OPTIONS = {"c1": 0.1, "c2": 0.01, "max_iterations": 100, "feature.possible_transitions": True}
WINDOW = (-2, -1, 0, 1, 2)


def features(tokens: list[str], place: int) -> list[str]:
    found = ["bias"]
    for offset in WINDOW:
        if 0 <= place + offset < len(tokens):
            token = tokens[place + offset]
            found.append(f"{offset}:{token.lower()}")
            found.append(f"{offset}:case {token.istitle()} {token.isupper()} {token.isdigit()}")
        else:
            found.append(f"{offset}:outside")
    token, before = tokens[place], tokens[place - 1] if place else ""
    found += [f"prefix {token[:size]}" for size in (1, 2, 3)] + [f"suffix {token[-size:]}" for size in (1, 2, 3)]
    return [*found, f"pair {before.lower()} {token.lower()}"]


def of_sentence(sentence: Sentence) -> list[list[str]]:
    tokens = [token for token, _ in sentence]
    return [features(tokens, place) for place in range(len(tokens))]


def train(sentences: list[Sentence], model: str) -> None:
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params(OPTIONS)
    for sentence in sentences:
        trainer.append(of_sentence(sentence), [tag for _, tag in sentence])
    trainer.train(model)


def main() -> None:
    training_part, test_part = map(read_sentences, paths())
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder, "model.crf"))
        _, training = timed(lambda: train(training_part, model))
        tagger = pycrfsuite.Tagger()
        tagger.open(model)
        predicted, prediction = timed(lambda: [tagger.tag(of_sentence(sentence)) for sentence in test_part])
        tagger.close()
    truth = [[tag for _, tag in sentence] for sentence in test_part]
    tokens = sum(map(len, truth))
    right = sum(a == b for one, other in zip(truth, predicted, strict=True) for a, b in zip(one, other, strict=True))
    report(training, prediction, f1=f1_of_spans(truth, predicted), accuracy=right / tokens)


if __name__ == "__main__":
    main()
