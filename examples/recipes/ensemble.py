"""An ensemble by ``torch.func.vmap``: five GRUs learn waves at once, and where they disagree they do not know.

python examples/recipes/ensemble.py
"""

import copy
import math

import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from elman.nn import GRU

torch.manual_seed(0)
MEMBERS, STEPS = 5, 40


class Model(torch.nn.Module):
    """What comes next, after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = GRU(1, 16, batch_first=True), torch.nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        predicted: Tensor = self.out(self.gru(x)[0])
        return predicted


def waves(batch: int, shortest: float = 10.0, longest: float = 20.0) -> Tensor:
    """(batch, STEPS + 1, 1): sines of these periods, in steps."""
    period = shortest + (longest - shortest) * torch.rand(batch, 1)
    phase = 2 * math.pi * torch.rand(batch, 1)
    return torch.sin(2 * math.pi * torch.arange(STEPS + 1) / period + phase).unsqueeze(-1)


# One set of weights for each member, stacked, and one module without memory that runs with any of them.
models = [Model() for _ in range(MEMBERS)]
weights, buffers = stack_module_state(models)
skeleton = copy.deepcopy(models[0]).to("meta")


def loss_of(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Of one member over a batch."""
    predicted: Tensor = functional_call(skeleton, weights, (x[:, :-1],))
    return (predicted - x[:, 1:]).square().mean()


# Each member learns from its own batch. The engine is called once a member; all else is one operation for all.
optimizer = torch.optim.Adam(weights.values(), lr=0.02)
for step in range(1, 121):
    x = torch.stack([waves(16) for _ in models])
    losses = vmap(loss_of)(weights, x)
    optimizer.zero_grad()
    losses.sum().backward()
    optimizer.step()
    if step in (1, 40, 120):
        print(f"step {step:3}  losses {'  '.join(f'{loss:.4f}' for loss in losses.tolist())}")

# All members on the same waves: where they were not trained, they part.
weights = {name: weight.detach() for name, weight in weights.items()}
predict = vmap(lambda w, x: functional_call(skeleton, w, (x,)), in_dims=(0, None))
for shortest, longest in ((10.0, 20.0), (3.0, 6.0)):
    predictions = predict(weights, waves(64, shortest, longest)[:, :-1])  # (MEMBERS, batch, STEPS, 1)
    print(f"periods of {shortest:.0f} to {longest:.0f} steps: members differ by {predictions.std(0).mean():.3f}")

# The gradient of each sequence of a batch by itself, as differentially private training clips them: the engine runs
# once forward and once backward for all of them.
member = {name: weight[0] for name, weight in weights.items()}
x = waves(64, 3.0, 20.0)
each = vmap(grad(loss_of), in_dims=(None, 0))(member, x.unsqueeze(1))
norms = torch.stack([g.flatten(1).norm(dim=1) for g in each.values()]).norm(dim=0)
clipped = {name: (g * (1 / norms).clamp(max=1).view(-1, *[1] * (g.dim() - 1))).mean(0) for name, g in each.items()}
print(f"norms of {len(norms)} sequences' gradients: {norms.min():.3f} to {norms.max():.3f}")
print(f"norm of their mean, each clipped to 1: {torch.stack([g.norm() for g in clipped.values()]).norm():.3f}")
alone = grad(loss_of)(member, x[3:4])
print("Equal to the gradient of a sequence alone:", all(torch.allclose(each[n][3], alone[n], atol=1e-6) for n in alone))
