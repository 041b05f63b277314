"""Why order matters: one bag of characters, two sequences.

我爱你 means "I love you" and 你爱我 "you love me". Both are made of the same three characters, so who
loves whom is in their order alone.
"""

import torch
from torch import nn

import elman.nn

characters = "我你爱"
sentences = ["我爱你", "你爱我"]
answers = ["我 loves", "你 loves"]
labels = torch.tensor([0, 1])

# One-hot steps: (steps, batch, input_size). Summing over the steps leaves the bag: how often each occurs.
one_hot = torch.eye(len(characters))
sequences = torch.stack([one_hot[[characters.index(c) for c in s]] for s in sentences], dim=1)
bags = sequences.sum(dim=0)

print("As bags, counts of", ", ".join(characters))
for sentence, bag in zip(sentences, bags, strict=True):
    print(f"  {sentence}  {bag.int().tolist()}")
print("The bags are equal:", torch.equal(bags[0], bags[1]))
print("The sequences are equal:", torch.equal(sequences[:, 0], sequences[:, 1]))


class BagModel(nn.Module):
    """Equal bags get equal answers, whatever the weights: no training can help."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(sequences.sum(dim=0))
        return logits


class RecurrentModel(nn.Module):
    """Reads one character a step; the hidden state after the last one has seen them in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = elman.nn.RNN(3, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, sequences: torch.Tensor) -> torch.Tensor:
        _, h_n = self.rnn(sequences)
        logits: torch.Tensor = self.head(h_n[-1])
        return logits


for name, make in [("bag", BagModel), ("recurrent", RecurrentModel)]:
    torch.manual_seed(42)
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(100):
        loss = nn.functional.cross_entropy(model(sequences), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"\nThe {name} model after 100 steps of training: loss {loss.item():.2f}")
    for sentence, p in zip(sentences, model(sequences).softmax(dim=-1), strict=True):
        print(f"  {sentence}  " + "  ".join(f"{a} {q:.2f}" for a, q in zip(answers, p.tolist(), strict=True)))
