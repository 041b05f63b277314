"""A run of a small network without anything random, alone or in one of several processes; prints what came of it.

With further words, a command of ours runs behind it: processes that train together take seconds to start.
"""

import json
import sys

import torch
from torch.nn.functional import mse_loss

from elman.cli import main as command
from elman.nn import RNN
from elman.tasks._training import Observer, Schedule, Task, Trainer

EXAMPLES, STEPS = 7, 5


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = RNN(2, 4)

    def forward(self, x):
        return self.rnn(x)[0]


class Remembering(Task):
    """Batches of uneven sizes, losses over different numbers of steps, and the examples that this process has seen."""

    def __init__(self, network):
        self.network = network
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(STEPS, EXAMPLES, 2, generator=generator)
        self.y = torch.randn(STEPS, EXAMPLES, 4, generator=generator)
        self.seen = []

    def batches(self, epoch):
        return [[0, 1, 2], [3], [4, 5, 6]]

    def size(self, batch):
        return sum(2 + example % 3 for example in batch)

    def loss(self, network, batch):
        self.seen += batch
        outputs = network(self.x[:, batch])
        totals = [
            mse_loss(outputs[: 2 + example % 3, place], self.y[: 2 + example % 3, example], reduction="none").mean(1)
            for place, example in enumerate(batch)
        ]
        return torch.cat(totals).mean()

    def validate(self):
        return {}

    def rank(self, scores):
        return []

    def trained(self):
        raise NotImplementedError

    def carried(self):
        return {"seen": torch.tensor(self.seen)}


class Kept:
    def save(self, progress, tensors):
        self.tensors = {name: value.clone() for name, value in tensors.items()}


def main():
    torch.manual_seed(0)
    network, store = Network(), Kept()
    trainer = Trainer(network, Remembering(network), Schedule(0.01, 4, patience=4), store, Observer())
    progress = trainer.run()
    if trainer.accelerator.is_main_process:
        weights = [value.tolist() for value in network.state_dict().values()]
        seen = {name: value.tolist() for name, value in store.tensors.items() if name.endswith("carried.seen")}
        print(json.dumps({"weights": weights, "losses": [r.loss for r in progress.history], "seen": seen}))


if __name__ == "__main__":
    main()
    sys.exit(command(sys.argv[1:]))
