"""Which way do the dots move? Excitatory and inhibitory units that learn to weigh evidence, wait, and decide.

The task is that of Britten et al. (1992), as PsychRNN has it: two noisy inputs, one for each direction, of which one is
a little stronger; after a delay the network says which. `coherence` is how much stronger, negative for the left.

python examples/recipes/perceptual_decision.py               prints
python examples/recipes/perceptual_decision.py decision.png  draws as well (pip install matplotlib)
"""

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import elman
from elman.cells import VoltageLeaky
from elman.nn import init, parametrizations

STEP, TAU = 20, 100  # milliseconds
FIXATION, MOTION, DELAY, DECISION = 10, 40, 20, 10  # steps
STEPS, MOVES, DECIDES = 80, slice(10, 50), slice(70, 80)
UNITS, UPDATES, BATCH = 50, 400, 128
SENSORY_NOISE, UNIT_NOISE = 0.5, 0.1  # standard deviations
COHERENCES = torch.tensor([-0.512, -0.256, -0.128, -0.064, -0.032, 0, 0.032, 0.064, 0.128, 0.256, 0.512])


def trials(coherence: Tensor) -> Tensor:
    """The inputs of a trial each, ``(steps, trials, 2)``: motion to the right, motion to the left."""
    inputs = torch.zeros(STEPS, len(coherence), 2)
    inputs[MOVES] = torch.stack([1 + coherence, 1 - coherence], dim=-1) / 2
    inputs[MOVES] += SENSORY_NOISE * torch.randn(MOTION, len(coherence), 2)
    return inputs


class Network(nn.Module):
    """Four of five units excite, the others inhibit; half of the connections are there, none from a unit to itself."""

    def __init__(self) -> None:
        super().__init__()
        cell = VoltageLeaky(leak=STEP / TAU, noise=UNIT_NOISE)
        self.rnn: Any = elman.nn.Recurrent(cell, 2, UNITS)
        self.readout = nn.Linear(UNITS, 2)
        self.excites = torch.arange(UNITS) < 0.8 * UNITS
        self.connected = (torch.rand(UNITS, UNITS) < 0.5) & ~torch.eye(UNITS, dtype=torch.bool)
        with torch.no_grad():  # a fifth of the units inhibits as much as the others excite
            self.rnn.get_parameter("weight_hh_l0").mul_(torch.where(self.excites, 1, 4))
        parametrizations.dale(self.rnn, self.excites)
        parametrizations.connectivity(self.rnn, self.connected)
        parametrizations.dale(self.readout, self.excites, name="weight")
        init.spectral_radius_(self.rnn, 1.0)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The rates of the units, and what speaks for right and for left while it is time to decide."""
        rates, _ = self.rnn(inputs)
        return rates, self.readout(rates[DECIDES])

    def obeys(self) -> bool:
        weight = self.rnn.weight_hh_l0
        signs = (weight[:, self.excites] >= 0).all() and (weight[:, ~self.excites] <= 0).all()
        return bool(signs and not weight[~self.connected].any())


def learn(network: Network, updates: int = UPDATES) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for update in range(1, updates + 1):
        coherence = COHERENCES[torch.randint(len(COHERENCES), (BATCH,))]
        is_left = torch.where(coherence == 0, torch.rand(BATCH) < 0.5, coherence < 0).long()
        rates, logits = network(trials(coherence))
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), is_left.repeat(DECISION))
        optimizer.zero_grad()
        (loss + 0.02 * rates.square().mean()).backward()  # firing costs energy
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        slower.step()
        if update % 100 == 0:
            print(f"  {update} updates  loss {loss:.2f}")


def draw(path: str, excites: Tensor, coherence: Tensor, rates: Tensor, chose_right: Tensor) -> None:
    """Of trials, the rates of all units before each choice, those of units for right, and the psychometric curve."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 6.4), layout="constrained")
    panels = figure.subplots(2, 2)
    right, left = (rates[:, chosen].mean(1) for chosen in (chose_right, ~chose_right))  # (steps, units)
    prefers = (right - left)[MOVES.stop :].mean(0)  # while they wait and decide
    order = torch.argsort(prefers - 1e6 * ~excites, descending=True)  # those that inhibit below
    most, end = float(torch.cat([right, left]).quantile(0.998)), STEP * STEPS
    for panel, mean, choice in zip(panels[0], (right, left), ("right", "left"), strict=True):
        image = panel.imshow(
            mean[:, order].T.numpy(), aspect="auto", vmin=0, vmax=most, cmap="magma", extent=(0, end, len(order), 0)
        )
        panel.axhline(excites.sum(), color="white", linewidth=1)
        panel.set_yticks([0.4 * UNITS, 0.9 * UNITS], ["excite", "inhibit"], rotation=90, va="center")
        panel.set_xticks([STEP * MOVES.start, STEP * MOVES.stop, STEP * DECIDES.start, end])
        panel.set_title(f"Units' mean rates before a choice of {choice}", size=10)
    figure.colorbar(image, ax=panels[0, 1])

    by_coherence, psychometric = panels[1]
    for strength, colour in zip((0.512, 0.128, 0.032), ("#7c2d12", "#ea580c", "#fdba74"), strict=True):
        for choice, sign, style in (("right", 1, "-"), ("left", -1, "--")):
            is_right_choice = (coherence == sign * strength) & (chose_right == (sign > 0))
            mean = rates[:, is_right_choice][..., excites & (prefers > 0)].mean((1, 2))
            label = f"{100 * strength:.0f}% to the {choice}"
            by_coherence.plot(STEP * torch.arange(STEPS), mean, style, color=colour, label=label)
    by_coherence.axvspan(STEP * MOVES.start, STEP * MOVES.stop, color="#e5e7eb", zorder=0)
    by_coherence.axvspan(STEP * DECIDES.start, end, color="#dbeafe", zorder=0)
    by_coherence.set(xlabel="ms; grey: the dots move, blue: decide", ylabel="rate", xlim=(0, end))
    by_coherence.set_title("Excitatory units that prefer right, correct trials", size=10)

    exact = torch.linspace(-0.55, 0.55, 200)
    ideal = torch.special.ndtr(exact * math.sqrt(MOTION / 2) / SENSORY_NOISE)
    psychometric.plot(100 * exact, 100 * ideal, "--", color="#6b6b6b", label="by all of the evidence")
    shares = [100 * chose_right[coherence == each].float().mean() for each in COHERENCES]
    psychometric.plot(100 * COHERENCES, shares, "o", color="#1d4ed8", label="the network")
    psychometric.set(xlabel="coherence, % to the right", ylabel="% of choices")
    psychometric.set_title("Choices of right", size=10)
    for panel in panels[1]:
        panel.legend(frameon=False, fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # nothing here is large enough for two
    network = Network()
    print(f"{UNITS} units: {network.excites.sum()} excite, {(~network.excites).sum()} inhibit")
    learn(network)
    print(f"Every unit has kept its sign, and no connection has grown: {network.obeys()}")

    network.eval()  # which ends the noise of the units
    coherence = COHERENCES.repeat_interleave(400)
    inputs = trials(coherence)
    with torch.no_grad():
        rates, logits = network(inputs)
    chose_right = logits.mean(0).argmax(-1) == 0
    shares = [100 * chose_right[coherence == each].float().mean() for each in COHERENCES]
    print("coherence, %    " + "".join(f"{100 * each:6.1f}" for each in COHERENCES))
    print("chose right, %  " + "".join(f"{share:6.1f}" for share in shares))

    with tempfile.TemporaryDirectory() as folder:
        elman.save(network.rnn, Path(folder) / "rnn.safetensors")
        saved: Any = elman.load(Path(folder) / "rnn.safetensors")
    is_same = (saved(inputs.numpy())[0] == rates.numpy()).all()
    print(f"Run without PyTorch the rates are the same to the last bit: {is_same}")
    if len(sys.argv) > 1:
        draw(sys.argv[1], network.excites, coherence, rates, chose_right)


if __name__ == "__main__":
    main()
