"""A policy with a memory, learnt by PPO: CartPole with its velocities hidden.

python examples/recipes/ppo.py              learns, with resets= (pip install gymnasium)
python examples/recipes/ppo.py --by loop    the same by a Python loop over the steps
python examples/recipes/ppo.py --by torch   that loop around PyTorch's layer
"""

import argparse
import time
from statistics import mean
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import Tensor, nn
from torch.distributions import Categorical

import elman.nn

ENVIRONMENTS, STEPS, HIDDEN = 16, 128, 64
EPOCHS, MINIBATCHES, RATE, CLIP = 8, 4, 3e-3, 0.2
DISCOUNT, LAMBDA, REWARD = 0.99, 0.95, 0.01  # a reward a step, so that a return is 1 at most
ENTROPY, LARGEST_GRADIENT, LEARNT = 0.01, 0.5, 475  # the mean return at which Gymnasium calls CartPole solved


def by_resets(gru: nn.GRU, x: Tensor, state: Tensor, resets: Tensor) -> tuple[Tensor, Tensor]:
    output, state = gru(x, state, resets=resets)
    return output, state


def by_loop(gru: nn.GRU, x: Tensor, state: Tensor, resets: Tensor) -> tuple[Tensor, Tensor]:
    """The same as PPO programs have it: the state is zeros where an episode begins, so each step is a call."""
    outputs = []
    for x_t, reset in zip(x, resets, strict=True):
        output, state = gru(x_t[None], state * ~reset[:, None])
        outputs.append(output)
    return torch.cat(outputs), state


class Agent(nn.Module):
    """An actor and a critic on the state of a GRU."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, HIDDEN), nn.Tanh())
        self.gru = (nn if by == "torch" else elman.nn).GRU(HIDDEN, HIDDEN)
        self.actor, self.critic = nn.Linear(HIDDEN, 2), nn.Linear(HIDDEN, 1)
        self.recur = by_resets if by == "resets" else by_loop

    def forward(self, seen: Tensor, state: Tensor, resets: Tensor) -> tuple[Categorical, Tensor, Tensor]:
        """Read some steps.

        Args:
            seen: (steps, environments, 2).
            state: (1, environments, HIDDEN), from before the first of these steps.
            resets: (steps, environments), true where an episode begins.

        Returns:
            What to do and what it is worth, at each step; the state after the last.
        """
        output, state = self.recur(self.gru, self.encoder(seen), state, resets)
        return Categorical(logits=self.actor(output)), self.critic(output)[..., 0], state


def see(observations: np.ndarray) -> Tensor:
    """Where the cart is, in m, and how far the pole leans, in 0.1 rad; not how fast, which are columns 1 and 3."""
    return torch.from_numpy(observations[:, [0, 2]]) * torch.tensor([1.0, 10.0])


def advantages_of(rewards: Tensor, values: Tensor, begins: Tensor) -> Tensor:
    """Generalized advantages (steps, environments), as ``rewards``; the other two have one step more."""
    advantages, after = [], torch.zeros(values.shape[1])
    for t in reversed(range(len(rewards))):
        goes_on = ~begins[t + 1]
        after = rewards[t] + DISCOUNT * goes_on * (values[t + 1] + LAMBDA * after) - values[t]
        advantages.append(after)
    return torch.stack(advantages[::-1])


def improve(agent: Agent, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor], state: Tensor) -> None:
    """Some epochs over the sequences of a batch; each minibatch has some environments, whole."""
    for _ in range(EPOCHS):
        for some in torch.randperm(ENVIRONMENTS).chunk(MINIBATCHES):
            of = {name: tensor[:, some] for name, tensor in batch.items()}
            policy, values, _ = agent(of["seen"], state[:, some], of["begins"])
            ratio = (policy.log_prob(of["actions"]) - of["log_probabilities"]).exp()
            gain = (of["advantages"] - of["advantages"].mean()) / (of["advantages"].std() + 1e-8)
            actor_loss = -torch.minimum(gain * ratio, gain * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
            critic_loss = 0.5 * (values - of["returns"]).square().mean()
            loss = actor_loss + critic_loss - ENTROPY * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), LARGEST_GRADIENT)
            optimizer.step()


def learn(by: str, seed: int, updates: int) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # nothing here is large enough for two
    same_step: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # what follows an end is a beginning
    made = gymnasium.make_vec("CartPole-v1", ENVIRONMENTS, vectorization_mode="sync", vector_kwargs=same_step)
    environments = RecordEpisodeStatistics(made)
    agent = Agent(by)
    optimizer = torch.optim.Adam(agent.parameters(), eps=1e-5)
    seen = torch.zeros(STEPS + 1, ENVIRONMENTS, 2)
    begins = torch.ones(STEPS + 1, ENVIRONMENTS, dtype=torch.bool)
    actions, rewards = torch.zeros(STEPS, ENVIRONMENTS, dtype=torch.int64), torch.zeros(STEPS, ENVIRONMENTS)
    seen[0], state = see(environments.reset(seed=seed)[0]), torch.zeros(1, ENVIRONMENTS, HIDDEN)
    start = time.process_time()
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = RATE * (1 - update / updates)
        before = state
        with torch.no_grad():
            for t in range(STEPS):
                policy, _, state = agent(seen[t, None], state, begins[t, None])
                actions[t] = policy.sample()[0]
                observations, _, terminated, truncated, info = environments.step(actions[t].numpy())
                seen[t + 1], begins[t + 1] = see(observations), torch.from_numpy(terminated | truncated)
                rewards[t] = REWARD
                if truncated.any():  # at step 500 the episode ends, not what it is worth
                    last, where = see(np.stack(info["final_obs"][truncated]))[None], torch.from_numpy(truncated)
                    worth = agent(last, state[:, where], torch.zeros(last.shape[:2], dtype=torch.bool))[1]
                    rewards[t, where] += DISCOUNT * worth[0]
            policy, values, _ = agent(seen, before, begins)
        advantages = advantages_of(rewards, values, begins)
        batch = {"seen": seen[:-1], "begins": begins[:-1], "actions": actions, "advantages": advantages}
        batch["log_probabilities"] = Categorical(logits=policy.logits[:-1]).log_prob(actions)
        improve(agent, optimizer, batch | {"returns": advantages + values[:-1]}, before)
        seen[0], begins[0] = seen[-1].clone(), begins[-1].clone()
        score = mean(environments.return_queue)
        steps, seconds = (update + 1) * STEPS * ENVIRONMENTS, time.process_time() - start
        print(f"{steps:7} steps  {seconds:6.1f} s  mean return {score:5.1f}", flush=True)
        if score >= LEARNT:
            break


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--by", choices=("resets", "loop", "torch"), default="resets", help="how sequences are read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--updates", type=int, default=60, help="at most")
    arguments = parser.parse_args()
    learn(arguments.by, arguments.seed, arguments.updates)
