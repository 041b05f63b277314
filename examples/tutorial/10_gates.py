"""What an Elman state forgets and what gates keep: GRU and LSTM, by hand in NumPy and by the layer.

python examples/tutorial/10_gates.py             prints
python examples/tutorial/10_gates.py memory.png  draws as well (pip install matplotlib)
"""

import math
import sys

import numpy as np
import torch
from torch import nn

import elman.nn

# Who began? One of 我 你 他 她 (0 to 3), then chatter (的 了 是 不, 4 to 7) drawn anew for every sentence.
one_hot = torch.eye(8, dtype=torch.float64)


def learn(cell: type[nn.RNN | nn.GRU | nn.LSTM], steps: int) -> tuple[int, torch.Tensor]:
    """Train on sentences of that many characters: how many of 400 others are answered right, and their states."""
    torch.manual_seed(0)
    rnn, head = cell(8, 16).double(), nn.Linear(16, 4).double()
    bias, keep = rnn.state_dict()["bias_hh_l0"], math.log(steps - 1)  # sigma(keep) is 1 - 1 / steps
    if cell is not elman.nn.RNN:
        bias[16:32] += keep  # the second gate, GRU's z and LSTM's f, begins by keeping
    if cell is elman.nn.LSTM:
        bias[:16] -= keep  # the first, i, by letting little in
    optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.02)
    for _ in range(200):
        who, chatter = torch.randint(4, (1, 32)), torch.randint(4, 8, (steps - 1, 32))
        states, _ = rnn(one_hot[torch.cat([who, chatter])])
        loss = nn.functional.cross_entropy(head(states[-1]), who[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # The test: 100 chatters, the same after each of the four. Whoever forgot how they began answers all four alike.
    who, chatter = torch.arange(4).repeat_interleave(100)[None], torch.randint(4, 8, (steps - 1, 100)).repeat(1, 4)
    with torch.no_grad():
        states, _ = rnn(one_hot[torch.cat([who, chatter])])
        return int((head(states[-1]).argmax(dim=-1) == who[0]).sum()), states


print("Who began? The Elman network, asked after")
for steps in (3, 10, 100):
    learnt = learn(elman.nn.RNN, steps)
    print(f"  {steps:3} characters: {learnt[0]} of 400 right")


def sigma(a: np.ndarray) -> np.ndarray:
    gate: np.ndarray = 1 / (1 + np.exp(-a))  # between 0, shut, and 1, open
    return gate


np.set_printoptions(precision=4, floatmode="fixed", suppress=True)
torch.manual_seed(42)
x, gru, lstm = torch.rand(3, 1, 2), elman.nn.GRU(2, 4), elman.nn.LSTM(2, 4)

print("\nGRU by hand")
w_ih, w_hh, b_ih, b_hh = (weight.numpy() for weight in gru.state_dict().values())
h, by_hand = np.zeros(4, dtype=np.float32), []
for t in range(3):
    u_r, u_z, u_n = np.split(w_ih @ x[t, 0].numpy() + b_ih, 3)  # from the input, a part for each gate
    v_r, v_z, v_n = np.split(w_hh @ h + b_hh, 3)  # from the past
    r = sigma(u_r + v_r)
    z = sigma(u_z + v_z)
    n = np.tanh(u_n + r * v_n)
    h = (1 - z) * n + z * h
    by_hand.append(h)
    print(f"step {t + 1}\n  r = {r}  z = {z}\n  n = {n}  h = {h}")
print("Equal to the layer:", np.allclose(by_hand, gru(x)[0][:, 0].detach(), rtol=0, atol=1e-6))

print("\nLSTM by hand")
w_ih, w_hh, b_ih, b_hh = (weight.numpy() for weight in lstm.state_dict().values())
h, c, by_hand = np.zeros(4, dtype=np.float32), np.zeros(4, dtype=np.float32), []
for t in range(3):
    u_i, u_f, u_g, u_o = np.split(w_ih @ x[t, 0].numpy() + b_ih, 4)
    v_i, v_f, v_g, v_o = np.split(w_hh @ h + b_hh, 4)
    i = sigma(u_i + v_i)
    f = sigma(u_f + v_f)
    g = np.tanh(u_g + v_g)
    o = sigma(u_o + v_o)
    c = f * c + i * g
    h = o * np.tanh(c)
    by_hand.append(h)
    print(f"step {t + 1}\n  i = {i}  f = {f}\n  g = {g}  o = {o}\n  c = {c}  h = {h}")
print("Equal to the layer:", np.allclose(by_hand, lstm(x)[0][:, 0].detach(), rtol=0, atol=1e-6))

print("\nAll three after 100 characters, and how far apart 我… and 你… are on the way:")
networks = {"RNN": learnt, "GRU": learn(elman.nn.GRU, 100), "LSTM": learn(elman.nn.LSTM, 100)}
after = (1, 2, 5, 10, 20, 50, 100)
print("                          " + "".join(f"{step:6}" for step in after))
for name, (right, states) in networks.items():
    apart = (states[:, :100] - states[:, 100:200]).abs().mean(dim=(1, 2))
    print(f"  {name:4}  {right} of 400 right  " + "".join(f"{apart[step - 1]:6.2f}" for step in after))

if len(sys.argv) > 1:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    look = {"cmap": "RdBu_r", "vmin": -2, "vmax": 2, "aspect": "auto", "extent": (0.5, 100.5, 15.5, -0.5)}
    for panel, (name, (_, states)) in zip(panels, networks.items(), strict=True):
        image = panel.imshow((states[:, 0] - states[:, 100]).T.numpy(), **look)
        panel.set(title=name, xlabel="step", xticks=[1, 20, 40, 60, 80, 100])
    panels[0].set(ylabel="hidden unit")
    figure.colorbar(image, ax=panels, label="difference of the two states")
    figure.savefig(sys.argv[1], dpi=150)
