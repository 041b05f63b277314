"""Looking inside: how the loss falls, and what the hidden state holds while a sentence is read.

python examples/tutorial/09_looking_inside.py             prints
python examples/tutorial/09_looking_inside.py inside.png  draws as well (pip install matplotlib)
"""

import sys

import torch
from torch import nn

import elman.nn

# Who loves whom again (program 1), for four lovers: 12 sentences, of which one is kept back.
people = "我你他她"
characters = people + "爱"
sentences = [f"{a}爱{b}" for a in people for b in people if a != b]
kept_back = sentences.index("她爱我")
one_hot = torch.eye(len(characters))
sequences = torch.stack([one_hot[[characters.index(c) for c in s]] for s in sentences], dim=1)
lovers = torch.tensor([people.index(s[0]) for s in sentences])
train = [n for n in range(len(sentences)) if n != kept_back]

torch.manual_seed(0)
rnn, head = elman.nn.RNN(len(characters), 8), nn.Linear(8, len(people))
optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.02)
losses = []
for _ in range(200):
    _, h_n = rnn(sequences[:, train])
    loss = nn.functional.cross_entropy(head(h_n[-1]), lovers[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

print("The loss falls, and falls slower:")
for step in (1, 25, 50, 100, 200):
    print(f"  after {step - 1:3} steps  {losses[step - 1]:.2f}  " + "█" * round(20 * losses[step - 1]))

with torch.no_grad():
    states, h_n = rnn(sequences)  # states: (steps, sentences, units)
    answers = head(states).softmax(dim=-1)  # what the model would say, were the sentence to end there

SHADES = " ░▒▓█"


def shade(value: float) -> str:
    """A value of -1 to 1 as a sign and a shade, two columns wide."""
    return ("-" if value < 0 else "+") + SHADES[min(int(abs(value) * 5), 4)]


for name in ("我爱你", "你爱我", "她爱我"):
    n = sentences.index(name)
    print(f"\n{name}, step by step" + (", kept back while training" if n == kept_back else ""))
    for t, character in enumerate(name):
        likeliest = int(answers[t, n].argmax())
        units = " ".join(shade(value) for value in states[t, n].tolist())
        print(f"  {character}  {units}   {people[likeliest]} loves: {answers[t, n, likeliest]:.2f}")

if len(sys.argv) > 1:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, (curve, map_) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(3, 2), layout="constrained")
    curve.plot(losses)
    curve.set(xlabel="step of training", ylabel="loss", ylim=(0, None))
    image = map_.imshow(states[:, kept_back].T.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    map_.set(xlabel="step", ylabel="hidden unit", xticks=range(3), xticklabels=["1", "2", "3"], yticks=range(8))
    figure.colorbar(image, ax=map_)
    figure.savefig(sys.argv[1], dpi=150)
