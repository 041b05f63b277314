"""Training a forecaster's networks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout, huber_loss

from elman.nn import Linear
from elman.runtime._arrays import Array
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.forecaster import Forecaster
from elman.runtime._forecaster.rolling import errors, roll
from elman.runtime._forecaster.settings import GREATEST_RATIO, ForecasterSettings
from elman.runtime._states import hidden_states
from elman.tasks._forecaster.anchoring import LEAST, LEAST_SCALE, spread
from elman.tasks._layers import recurrent_layers
from elman.tasks._training import Task

if TYPE_CHECKING:
    from elman.tasks.forecaster import Forecaster as Estimator

__all__ = ["RATIO", "ForecastNetwork", "ForecastingTask", "held_origins", "ratio"]

MOST_BATCHES = 200  # of an epoch
VALIDATION_ORIGINS = 200
RATIO = "validation_mae_over_seasonal_naive"  # the error over that of the seasonal naive forecast

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class ForecastNetwork(nn.Module):
    """Correct simple forecasts, by several networks of the same kind that began with other weights.

    Parameters by name: ``networks.N.rnn.*`` as PyTorch's layers have them, ``networks.N.output.*`` of the layer that
    makes corrections, (horizon * targets,), of the last state. They begin with no correction.
    """

    def __init__(self, settings: ForecasterSettings, dropout: float, engine: str) -> None:
        super().__init__()
        layers, outputs = settings.layers, settings.horizon * len(settings.targets)
        self.networks = nn.ModuleList()
        for _ in range(layers.networks):
            rnn = recurrent_layers(layers, settings.features, dropout=dropout, engine=engine)
            output = Linear(layers.features, outputs, dtype=torch.float32)
            nn.init.zeros_(output.weight)
            nn.init.zeros_(output.bias)
            self.networks.append(nn.ModuleDict({"rnn": rnn, "output": output}))
        self.dropout = dropout

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the corrections, (networks, batch, horizon * targets), for inputs (context, batch, features)."""
        corrections = []
        for network in self.networks:
            assert isinstance(network, nn.ModuleDict)
            _, final = network["rnn"](inputs)
            corrections.append(network["output"](dropout(hidden_states(final)[-1], self.dropout, self.training)))
        return torch.stack(corrections)


class ForecastingTask(Task):
    """Windows of a series, and what remains of what followed once the simple forecasts are taken off."""

    def __init__(
        self,
        estimator: "Estimator",
        network: ForecastNetwork,
        settings: ForecasterSettings,
        tensors: Mapping[str, Array],
        held: int,
    ) -> None:
        self.network, self.settings, self.tensors = network, settings, dict(tensors)
        self.seed, self.batch_size = estimator.seed, estimator.batch_size_
        model = self.trained()
        self.context = Context.of(model.series, held)
        self.windows = model.windows(self.context)
        self.held = held_origins(model, held, VALIDATION_ORIGINS)
        origins = np.arange(settings.reach, held - settings.horizon + 1)
        residuals = self._residuals(model, origins)
        trained = np.isfinite(residuals).any((1, 2))
        self.origins, residuals = origins[trained], residuals[trained]
        levels = np.abs(model.level[: len(settings.targets)])
        scale = np.nan_to_num(np.nanmean(np.abs(residuals), axis=0))
        self.tensors["output_scale"] = np.maximum(np.maximum(scale, LEAST), LEAST_SCALE * levels)
        self.residuals = (residuals / self.tensors["output_scale"]).reshape(len(residuals), -1).astype(np.float32)
        self.model = model

    def batches(self, epoch: int) -> list[list[int]]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.origins))
        order = order[: MOST_BATCHES * self.batch_size]
        return [order[i : i + self.batch_size].tolist() for i in range(0, len(order), self.batch_size)]

    def loss(self, network: nn.Module, batch: Sequence[int]) -> Tensor:
        inputs, _ = self._prepared(self.model, self.origins[batch])
        corrections = network(torch.from_numpy(inputs))
        wanted = torch.from_numpy(self.residuals[batch]).expand_as(corrections)
        known = torch.isfinite(wanted)
        return huber_loss(corrections[known], wanted[known])

    def trained(self) -> Forecaster:
        learned = {name: value.numpy(force=True) for name, value in self.network.state_dict().items()}
        return Forecaster(self.settings, self.tensors | learned)

    def validate(self) -> dict[str, float]:
        if not len(self.held):  # nothing is held out: the epochs have been chosen
            return {}
        # by what will predict: the bits of an evaluation later, without PyTorch
        model = self.trained()
        found = errors(model, roll(model, self.context, self.held, self.settings.horizon))
        return {"validation_mae": float(np.nanmean(found["mae"])), RATIO: ratio(found)}

    def rank(self, scores: dict[str, float]) -> list[float]:
        return [-scores[RATIO]]

    def _prepared(self, model: Forecaster, origins: Integers) -> tuple[NDArray[np.float32], Floats]:
        reach = self.settings.reach
        missing = self.windows.missing_before(origins, reach)
        ahead = model.known_ahead(self.context, self.windows, origins, 0)
        return model.prepare(self.windows.before(origins, reach), missing, origins, ahead)

    def _residuals(self, model: Forecaster, origins: Integers) -> Floats:
        anchors = np.concatenate([self._prepared(model, chunk)[1] for chunk in model.batches(origins)])
        places = origins[:, None] + np.arange(self.settings.horizon)
        truth = np.where(self.windows.observed, self.windows.filled, np.nan)[:, : len(self.settings.targets)]
        residuals: Floats = truth[places] - anchors
        return residuals


def held_origins(model: Forecaster, held: int, most: int) -> Integers:
    """Return the steps, at most so many, from which the held-out part of the training series is forecast."""
    return spread(np.arange(held, len(model.series) - model.settings.horizon + 1), most)


def ratio(found: Mapping[str, Floats]) -> float:
    """Return the error over the seasonal naive forecast's, a mean over the targets."""
    with np.errstate(over="ignore"):  # of a series that repeats itself exactly any error is beyond all
        ratios = found["mae"] / np.maximum(found["seasonal_naive_mae"], np.finfo(np.float64).tiny)
    return float(np.nanmean(np.minimum(ratios, GREATEST_RATIO)))
