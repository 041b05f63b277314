"""Three models from one layer: what sits on top of RNN decides what it is for."""

import csv
from pathlib import Path

import torch
from torch import nn

import elman.nn

# Real data, small enough to learn by heart: 8 lines of classical Chinese, ten characters each without marks.
marks = "，。？！；、"
lines: list[str] = []
genres: list[str] = []
marks_after: list[list[str]] = []
with (Path(__file__).parents[2] / "data" / "chinese_genres_train.csv").open(encoding="utf-8") as file:
    for row in csv.DictReader(file):
        text = row["text"]
        pairs = [(c, after) for c, after in zip(text, text[1:] + " ", strict=True) if c not in marks]
        if len(pairs) == 10 and len(lines) < 8:
            lines.append("".join(c for c, _ in pairs))
            marks_after.append([after if after in marks else "" for _, after in pairs])
            genres.append(row["label"])
characters, labels, tags = sorted(set("".join(lines))), sorted(set(genres)), ["", *marks]


class Model(nn.Module):
    """Characters -> embedding -> RNN -> a linear head that turns hidden states into scores."""

    def __init__(self, classes: int, bidirectional: bool, every_step: bool) -> None:
        super().__init__()
        self.every_step = every_step
        self.embedding = nn.Embedding(len(characters), 16)
        self.rnn = elman.nn.RNN(16, 32, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(64 if bidirectional else 32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output, h_n = self.rnn(self.embedding(x))
        scores: torch.Tensor = self.head(output if self.every_step else torch.cat(list(h_n), dim=-1))
        return scores


def fit(title: str, model: Model, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    best: torch.Tensor = model(x).argmax(dim=-1)
    print(f"\n{title}\n  input {tuple(x.shape)}, scores {tuple(model(x).shape)}, ", end="")
    print(f"after training {int((best == y).sum())} of {y.numel()} right")
    return best


torch.manual_seed(42)
x = torch.tensor([[characters.index(c) for c in line] for line in lines])

y = torch.tensor([labels.index(genre) for genre in genres])
model = Model(len(labels), bidirectional=True, every_step=False)
best = fit("Classification: one answer a sequence, from h_n", model, x, y)
for line, label in zip(lines[:2], best, strict=False):
    print(f"  {line} -> {labels[label]}")

y = torch.tensor([[tags.index(mark) for mark in row] for row in marks_after])
model = Model(len(tags), bidirectional=True, every_step=True)
best = fit("Tagging: one answer a step, from output. Here: the mark that follows", model, x, y)
for line, row in zip(lines[:2], best, strict=False):
    print(f"  {line} -> " + "".join(c + tags[tag] for c, tag in zip(line, row, strict=True)))

# One direction only: reading from the right would show the answer.
model = Model(len(characters), bidirectional=False, every_step=True)
fit("Language modelling: the next character at every step, from output", model, x[:, :-1], x[:, 1:])
for line in lines[:2]:
    text = line[0]
    while len(text) < 10:
        scores = model(torch.tensor([[characters.index(c) for c in text]]))
        text += characters[int(scores[0, -1].argmax())]
    print(f"  {line[0]} -> {text}")

print("""
Every answer is right, but these are the lines of the training: eight can only
be learnt by heart. To learn what holds for new text takes more of it, and a
part held out to test on.

Each of the three is a command, for files of your own as well (data/README.md
says what these hold):
  elman train classify data/chinese_genres_train.csv --out genres/
  elman train tag data/punctuation_train.conll --out marks/
  elman train language data/tang_poems.txt --out poems/
and then elman evaluate, elman predict, elman generate and elman info.""")
