"""Gaps, simple forecasts, and forecasts without PyTorch."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import elman
from elman._errors import InputError
from elman.runtime import Forecaster
from elman.runtime._forecaster.anchors import CANDIDATES, Waves, candidates, names_of
from elman.runtime._forecaster.calendar import TimeGrid
from elman.runtime._forecaster.context import Context
from elman.runtime._forecaster.rolling import roll, rolling_report
from elman.runtime._forecaster.series import Windows, as_series
from elman.runtime._forecaster.settings import ForecasterSettings, ForecasterSizes

HORIZON, SEASON, STEPS = 4, 6, 60


def forecaster(seed=0, targets=1, covariates=1, block=HORIZON, gaps=True, known=(), cell="rnn"):
    """A forecaster with weights drawn at random."""
    draw, columns = np.random.default_rng(seed), targets + covariates
    settings = ForecasterSettings(
        targets=[f"t{i}" for i in range(targets)],
        covariates=[f"c{i}" for i in range(covariates)],
        horizon=HORIZON,
        block=block,
        context=8,
        season=SEASON,
        cycles=[6.0, 13.5],
        logarithm=[True] * targets + [False] * covariates,
        returning=[i % 2 == 0 for i in range(columns)],
        masked=gaps,
        coverage=0.9,
        calibration=20,
        steps=STEPS,
        grid=TimeGrid("month", 1, 240, "month"),
        layers=ForecasterSizes(cell=cell, networks=2, hidden_size=5, layers=1),
        known=list(known),
    )
    shapes = settings.shapes({})
    tensors = {
        name: draw.normal(size=shape).astype(np.float64 if name in Forecaster.double_tensors else np.float32) * 0.3
        for name, shape in shapes.items()
    }
    tensors["series"] = np.exp(tensors["series"])
    tensors["observed"] = np.ones(shapes["observed"])
    if gaps:
        tensors["observed"][20:23] = 0
    tensors["input_scale"] = np.ones(shapes["input_scale"])
    tensors["residuals"] = np.sort(np.abs(tensors["residuals"]), axis=0)
    return Forecaster(settings, tensors)


def test_a_gap_is_interpolated_only_from_what_was_known():
    windows = Windows(np.array([[1.0], [2.0], [np.nan], [np.nan], [5.0], [6.0]]))
    assert windows.before(np.array([3]), 3).ravel().tolist() == [1, 2, 2]
    assert windows.before(np.array([5]), 5).ravel().tolist() == [1, 2, 3, 4, 5]
    assert windows.missing_before(np.array([5]), 5).ravel().tolist() == [False, False, True, True, False]


def test_simple_forecasts_are_those_by_hand():
    window = np.array([[1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 11.0]])
    past, future = np.zeros((1, 7)), np.array([[0.5, 0.25, 0.0, 0.5]])
    found = dict(zip(CANDIDATES, candidates(window, past, future, 4.0, 3)[0].T.tolist(), strict=True))
    assert found["last value"] == [11] * 4
    assert found["seasonal naive"] == [7, 9, 11, 7]
    assert found["last value and last season's change"] == [13, 15, 17, 13]  # 11 - 5 more than a season before
    assert found["mean of the last season"] == [9] * 4
    assert found["mean of the phase"] == [4.5, 4.25, 4, 4.5]
    assert found["last value and the phase's change"] == [11.5, 11.25, 11, 11.5]
    np.testing.assert_allclose(found["last value and trend"], 11 + 10 / 6 * np.arange(1, 5))
    growth = 9 - (2 + 3 + 5) / 3
    np.testing.assert_allclose(found["seasonal naive and growth"], np.array([7, 9, 11, 7]) + growth)


def test_waves_of_a_step_are_the_same_alone_and_among_others():
    waves = Waves([12.0, 52.18], 3)
    steps = np.array([5, -3, 1030, 600])
    assert all((waves.at(steps)[i] == waves.at(steps[i : i + 1])[0]).all() for i in range(4))
    np.testing.assert_allclose(waves.at(steps)[:, 0], np.sin(2 * np.pi * steps / 12), atol=1e-12)


@pytest.mark.parametrize(("threads", "cell"), [(1, "rnn"), (2, "gru"), (2, "lstm")])
def test_forecasts_are_the_same_bits_alone_and_among_others(threads, cell):
    model = forecaster(targets=2, cell=cell)
    elman.set_num_threads(threads)
    context, origins = Context.of(model.series, 0), np.arange(10, 50)
    together = model.rolling(context, origins, 7)
    for i in (0, 17, 39):
        np.testing.assert_array_equal(together[i], model.rolling(context, origins[i : i + 1], 7)[0])
    np.testing.assert_array_equal(together, forecaster(targets=2, cell=cell).rolling(context, origins, 7))


@pytest.mark.parametrize("block", [1, 3, HORIZON])
def test_recursion_is_steps_by_hand(block):
    model, horizon = forecaster(block=block, covariates=0, gaps=False), 9
    values = model.series.values
    by_hand = []
    while len(by_hand) < horizon:
        ahead = min(block, horizon - len(by_hand))
        context = Context(np.concatenate([values, np.array(by_hand).reshape(-1, 1)]), 0, 0, "")
        step = model.rolling(context, np.array([len(context.values)]), HORIZON if block > 1 else 1)[0, :ahead]
        by_hand += model.restored(step)[:, 0].tolist()
    np.testing.assert_allclose(model.forecast(horizon).values[:, 0], by_hand, rtol=1e-6)


@pytest.mark.parametrize("block", [1, HORIZON])
def test_a_forecast_sees_nothing_that_came_later_but_what_is_known_ahead(block):
    model = forecaster(covariates=2, block=block, known=["c1"])
    origin, values = 40, model.series.values

    def forecast(changed, place, column):
        later = values.copy()
        later[place, column] += changed
        return model.rolling(Context(later, 0, origin, "another"), np.array([origin]), 6)

    said = forecast(0.0, origin, 0)
    for column in (0, 1):  # the target, a covariate
        np.testing.assert_array_equal(forecast(9.0, slice(origin, None), column), said)
        assert (forecast(9.0, origin - 1, column) != said).any()
    np.testing.assert_array_equal(forecast(9.0, slice(origin + 6, None), 2), said)
    np.testing.assert_array_equal(forecast(9.0, origin + 3, 2)[:, :3], said[:, :3])
    assert (forecast(9.0, origin + 3, 2)[:, 3] != said[:, 3]).all()


def test_many_forecasts_are_made_few_at_a_time_where_each_looks_at_much(monkeypatch):
    model = forecaster()
    context, origins = Context.of(model.series, 20), np.arange(20, 50)
    said = model.rolling(context, origins, 5)
    monkeypatch.setattr("elman.runtime._forecaster.forecaster.MOST_READ", 100)
    assert {len(batch) for batch in model.batches(origins)} == {1}
    np.testing.assert_array_equal(model.rolling(context, origins, 5), said)


def test_a_history_goes_on_after_the_training_series_holds_it_or_is_another():
    model = forecaster(covariates=0, gaps=False)
    values = model.series.values
    later = np.exp(np.random.default_rng(5).normal(size=(7, 1)))
    after = model.forecast(history=later)
    assert after.times[0] == "1995-08"
    np.testing.assert_array_equal(model.forecast(history=np.concatenate([values, later])).values, after.values)
    dated = [model.settings.grid.label(STEPS + i) for i in range(7)]
    np.testing.assert_array_equal(model.forecast(history=later, times=dated).values, after.values)
    tail = [model.settings.grid.label(STEPS - 3 + i) for i in range(10)]
    joined = np.concatenate([values[-3:], later])
    np.testing.assert_array_equal(model.forecast(history=joined, times=tail).values, after.values)
    other = model.place(
        as_series(["t0"], np.exp(np.ones((20, 1))), [f"{2050 + i // 12}-{i % 12 + 1:02}" for i in range(20)]),
        timed=True,
    )
    assert (other.relation, other.begin) == ("is another series", 8)


@pytest.mark.parametrize(
    ("history", "times", "message"),
    [
        (np.ones((3, 2)), None, r"^history: expected the shape \(steps, 1\), got \(3, 2\)$"),
        ([1.0, np.inf], None, r"^history\[1, 0\]: expected a number up to 1e\+100, or NaN, got inf$"),
        (["a"], None, r"^history: expected real numbers"),
        ([1.0, 2.0], ["2020-01-01", "2020-01-02"], r"^times: expected steps of a month, as from 1990-01 in training"),
        ([1.0], ["7"], r"^times: expected steps of a month, as from 1990-01 in training, got 7$"),
        ([1.0, 2.0], ["2050-01", "2050-02"], r"^history: expected 8 steps or more of another series, got 2$"),
    ],
)
def test_a_history_that_does_not_fit_is_refused(history, times, message):
    with pytest.raises(InputError, match=message):
        forecaster(covariates=0).forecast(history=history, times=times)


@pytest.mark.parametrize(
    ("horizon", "coverage"), [(0, None), (True, None), (2.5, None), (10**7, None), (3, 1.0), (3, 0)]
)
def test_a_horizon_or_coverage_out_of_range_is_refused(horizon, coverage):
    with pytest.raises(InputError, match=r"^horizon|^coverage"):
        forecaster().forecast(horizon, coverage=coverage)


def test_intervals_widen_and_come_from_the_residuals():
    model = forecaster()
    widths = model.widths(16, 0.5)
    assert (np.diff(widths, axis=0) >= 0).all()
    np.testing.assert_array_equal(widths[0], model.residuals[10, 0])  # the 11th of 20: (20 + 1) / 2, rounded up
    np.testing.assert_allclose(widths[15], 2 * widths[3])  # the square root of 16 over 4
    forecast = model.forecast(coverage=0.5)
    assert (forecast.lower < forecast.values).all()
    assert (forecast.values < forecast.upper).all()
    assert (forecast.lower > 0).all()  # in logarithms


def test_the_report_counts_what_is_known_and_nothing_else():
    model = forecaster(covariates=0)
    values = np.exp(np.random.default_rng(2).normal(size=(12, 1)))
    values[4] = np.nan
    context = model.place(as_series(["t0"], values, None), timed=False)
    report = rolling_report(model, context)
    assert (report["examples"], report["horizon"], report["series"]) == (9, 4, "goes on after the training series")
    all_values = np.concatenate([model.series.values, values])[:, 0]
    missed, seasonal = [], []
    for origin in range(STEPS, STEPS + 9):
        for ahead in range(4):
            if np.isfinite(all_values[origin + ahead]):
                known = all_values[:origin][np.isfinite(all_values[:origin])]
                missed.append(abs(all_values[origin + ahead] - known[-1]))
                before = all_values[origin + ahead - SEASON]
                seasonal.append(abs(all_values[origin + ahead] - before) if np.isfinite(before) else np.nan)
    np.testing.assert_allclose(report["naive_mae"], np.mean(missed))
    assert len(seasonal) == 4 * 9 - 4
    assert 0 <= report["interval_coverage"] <= 1


def test_a_series_too_short_to_compare_with_is_refused():
    model = forecaster(covariates=0)
    refused = (
        r"^series: expected 4 steps or more to compare forecasts with, after 1994-12, where training ended .* got 3$"
    )
    with pytest.raises(InputError, match=refused):
        rolling_report(model, model.place(as_series(["t0"], np.ones((3, 1)), None), timed=False))


def test_a_forecaster_is_pickled_and_settings_that_do_not_go_together_are_refused():
    model = forecaster()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).forecast().values, model.forecast().values)
    for broken in (
        {"targets": []},
        {"logarithm": []},
        {"block": 9},
        {"steps": 5},
        {"calibration": 0},
        {"covariates": ["t0"]},
        {"seasons": [1] * 17},
        {"cycles": [12.0] * 17},
        {"coverage": 0.0},
        {"coverage": 1.0},
        {"possible": [1.0] * 9},
        {"layers": replace(model.settings.layers, networks=1000, layers=2)},
    ):
        with pytest.raises(InputError, match=r"^config\.json: expected"):
            replace(model.settings, **broken).check("config.json")


def test_seasonal_naive_forecasts_repeat_the_season_before():
    model = forecaster(covariates=0, gaps=False)
    rolling = roll(model, Context.of(model.series, 0), np.array([40]), 8)
    values = np.log(model.series.values[:, 0])
    np.testing.assert_allclose(rolling.seasonal_naive[0, :, 0], np.r_[values[34:40], values[34:36]])


def test_the_forecasts_of_a_season_are_those_by_hand():
    window = np.array([[1.0, 2.0, 5.0, 3.0, 6.0, 5.0, 8.0]])
    past, future = np.array([[0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0]]), np.array([[1.0, 2.0, 0.0]])
    found = dict(zip(names_of([3]), candidates(window, past, future, 4.0, 3, [3])[0].T.tolist(), strict=True))
    assert found["value a season of 3 before"] == [6, 5, 8]
    assert found["last value and the change of a season of 3 before"] == [11, 10, 13]
    assert found["value a season of 3 before, moved by the phase"] == [6, 5, 8]
    assert found["mean of the last seasons of 3"] == [4, 5, 5.5]
    assert found["mean of the last seasons of 3, and their last change"] == [4 + 8 - 2, 5 + 8 - 2, 5.5 + 8 - 2]
    level = (6 + 5 + 8) / 3 - (2 + 5 + 3 + 6 + 5 + 8) / 6
    assert found["mean of the last seasons of 3, at the level of the last one"] == pytest.approx(
        [4 + level, 5 + level, 5.5 + level]
    )
    smoothed = 1.0
    for value, phase in zip(window[0, 1:], past[0, 1:], strict=True):
        smoothed += 0.5 * (value - phase - smoothed)
    assert found["level smoothed by 0.5, and the phase"] == [smoothed + 1, smoothed + 2, smoothed]


def test_a_model_that_lost_to_a_naive_forecast_says_so_and_others_nothing():
    settings = forecaster(targets=2).settings
    assert settings.doubt is None
    assert replace(settings, recent=[0.9, 1.0]).doubt is None
    assert replace(settings, recent=[0.9, 1.25]).doubt == (
        "the error was above the better naive forecast's on the most recent part: t1 1.25 of it"
    )
    assert replace(settings, recent=[0.9, 1.0], possible=[1.0, 0.7]).doubt is None
    assert replace(settings, recent=[0.9, 1.0], possible=[1.044, 0.7]).doubt == (
        "the error may be above the better naive forecast's, by the held-out part up to: t0 1.04 of it"
    )
