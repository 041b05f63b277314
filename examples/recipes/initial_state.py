"""A learned initial state: networks without input that draw a figure eight (Pearlmutter, 1989).

python examples/recipes/initial_state.py            prints
python examples/recipes/initial_state.py eight.png  draws as well (pip install matplotlib)
"""

import math
import sys

import torch
from torch import Tensor, nn

import elman.nn

STEPS, UPDATES = 50, 300
angle = 2 * math.pi * torch.arange(STEPS) / STEPS + math.pi / 4  # the pen begins at the upper right
eight = torch.stack([angle.sin(), (2 * angle).sin()], dim=-1)  # (steps, 2)
no_input = torch.zeros(STEPS, 1)


def learn(learned: bool, seed: int) -> tuple[Tensor, list[float]]:
    """What the network draws in the end, and its mean square error at each update."""
    torch.manual_seed(seed)
    gru, head = elman.nn.GRU(1, 8, learn_initial_state=learned), nn.Linear(8, 2)
    optimizer = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=0.01)
    errors = []
    for _ in range(UPDATES):
        states, _ = gru(no_input)  # no hx: from zeros, or from what is learned
        loss = (head(states) - eight).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    with torch.no_grad():
        return head(gru(no_input)[0]), errors


names = [name for name, _ in elman.nn.GRU(1, 8, learn_initial_state=True).named_parameters()]
print(f"Parameters: {', '.join(names)}")
torch.set_num_threads(1)  # nothing here is large enough for two
runs = {learned: [learn(learned, seed) for seed in range(3)] for learned in (False, True)}
print("Mean square error of three networks after  100 updates         300 updates")
for learned, of_seeds in runs.items():
    columns = ["  ".join(f"{errors[update - 1]:.3f}" for _, errors in of_seeds) for update in (100, 300)]
    print(f"  {'from a learned state' if learned else 'from zeros':39}  {'   '.join(columns)}")

if len(sys.argv) > 1:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    curves, drawing = figure.subplots(1, 2, width_ratios=(3, 2))
    drawing.plot(*eight.T, color="#cccccc", linewidth=5, label="the figure")
    for (learned, of_seeds), colour in zip(runs.items(), ("#1d4ed8", "#c2410c"), strict=True):
        for drawn, errors in of_seeds:
            curves.plot(errors, color=colour)
            drawing.plot(*drawn.T, color=colour, linewidth=1, marker="o", markevery=[0], markersize=5)
        drawing.lines[-1].set_label("from a learned state" if learned else "from zeros")
    curves.set(xlabel="update", ylabel="mean square error", yscale="log")
    curves.spines[["top", "right"]].set_visible(False)
    drawing.set(aspect="equal", title="after 300 updates; dots: the first step")
    drawing.title.set_size(10)
    drawing.set_axis_off()
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    figure.savefig(sys.argv[1], dpi=150)
