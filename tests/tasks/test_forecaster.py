import math

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from elman.runtime import Forecaster as Trained
from elman.runtime._forecaster.calendar import TimeGrid
from elman.tasks import Forecaster, InputError
from elman.tasks._checkpoints import remove_checkpoint
from elman.tasks._forecaster.anchoring import choose_anchor, choose_season, cycles_of, seasons_of
from elman.tasks._forecaster.training import ForecastNetwork
from elman.tasks._training import Observer

QUICK = {"networks": 2, "hidden_size": 8, "epochs": 2}


class Listening(Observer):
    def __init__(self, interrupt_at=None):
        self.notices, self.interrupt_at = [], interrupt_at

    def notice(self, text):
        self.notices.append(text)

    def stepped(self, epoch, step, loss, examples):
        if (epoch, step) == self.interrupt_at:
            raise KeyboardInterrupt


def seasonal(steps=240, noise=0.3, seed=0):
    t = np.arange(steps)
    return 20 + 3 * np.sin(2 * np.pi * t / 12) + noise * np.random.default_rng(seed).normal(size=steps)


def autoregressive(steps, seed=0):
    noise = np.random.default_rng(seed).normal(size=steps)
    values = np.zeros(steps)
    for t in range(1, steps):
        values[t] = 0.8 * values[t - 1] + noise[t]
    return values


MONTHS = [f"{1950 + i // 12}-{i % 12 + 1:02}" for i in range(240)]


@pytest.fixture(scope="module")
def fitted():
    torch.set_num_threads(1)
    return Forecaster(**QUICK).fit(seasonal(), MONTHS)


def test_a_season_is_found_and_followed(fitted):
    assert (fitted.season_, fitted.horizon_) == (12, 12)
    truth = seasonal(264, noise=0)[240:]
    assert np.abs(fitted.predict(24) - truth).mean() < 0.4
    metrics = fitted.metrics_
    assert metrics["validation_mae"] < metrics["validation_seasonal_naive_mae"] < metrics["validation_naive_mae"]


def test_shapes_are_those_of_the_series(fitted):
    assert fitted.predict().shape == (12,)
    assert fitted.predict(3).shape == (3,)
    lower, upper = fitted.predict_interval(5, coverage=0.5)
    assert lower.shape == upper.shape == (5,)
    wide = fitted.predict_interval(5, coverage=0.95)
    assert (wide[0] <= lower).all()
    assert (upper <= wide[1]).all()
    assert fitted.forecast().times[0] == "1970-01"


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_networks_and_runtime_agree_to_the_bit(cell):
    model = Forecaster(**QUICK, cell=cell, dropout=0.5, layers=2).fit(autoregressive(150)).model_
    network = ForecastNetwork(model.settings, 0.5, "elman").eval()
    tensors = {name: torch.from_numpy(array) for name, array in model.tensors().items() if name.startswith("networks")}
    network.load_state_dict(tensors)
    inputs = np.random.default_rng(0).normal(size=(model.settings.context, 5, model.settings.features))
    inputs = inputs.astype(np.float32)
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)).numpy().astype(np.float64)
    by_hand = ((outputs[0] + outputs[1]) / 2).reshape(5, model.settings.horizon, 1)
    np.testing.assert_array_equal(model.correction(inputs), by_hand)
    assert np.abs(by_hand).max() > 0


def test_validation_is_what_an_evaluation_of_the_held_out_part_gives(fitted):
    metrics = fitted.metrics_
    again = Forecaster(**QUICK).fit(seasonal(), MONTHS)
    assert {name: again.metrics_[name] for name in metrics} == metrics
    np.testing.assert_array_equal(again.predict(), fitted.predict())


def test_evaluation_over_rolling_origins_is_that_by_hand(fitted):
    later = seasonal(270)[240:]
    report = fitted.evaluate(later)
    series, missed, naive, repeated = np.concatenate([seasonal(), later]), [], [], []
    for origin in range(240, 270 - 12 + 1):
        said = fitted.forecast(history=series[240:origin] if origin > 240 else None).values[:, 0]
        truth = series[origin : origin + 12]
        missed += np.abs(said - truth).tolist()
        naive += np.abs(series[origin - 1] - truth).tolist()
        repeated += np.abs(series[origin - 12 : origin] - truth).tolist()
    assert report["examples"] == 19
    found = [report[name] for name in ("mae", "naive_mae", "seasonal_naive_mae")]
    np.testing.assert_allclose(found, [np.mean(missed), np.mean(naive), np.mean(repeated)])
    assert fitted.score(later) == -report["mae"]


def test_a_trend_is_followed(tmp_path):
    forecaster = Forecaster(**QUICK, horizon=5).fit(np.arange(120.0) * 2 + 1)
    np.testing.assert_allclose(forecaster.predict(20), np.arange(120, 140) * 2 + 1, rtol=1e-6)
    grown = Forecaster(**QUICK, horizon=5).fit(np.exp(np.arange(120) / 30))
    assert grown.model_.settings.logarithm == [True]
    grown.save(tmp_path / "grown")
    assert Trained.load(tmp_path / "grown").settings.logarithm == [True]
    np.testing.assert_allclose(grown.predict(), np.exp(np.arange(120, 125) / 30), rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, -7.5, 1e9])
def test_a_constant_series_stays_constant(value):
    forecaster = Forecaster(**QUICK).fit(np.full(60, value))
    np.testing.assert_allclose(forecaster.predict(), value)
    np.testing.assert_allclose(forecaster.predict_interval()[0], value)


def test_what_does_not_beat_the_naive_forecast_says_so():
    listening = Listening()
    walk = np.random.default_rng(0).normal(size=200).cumsum()
    forecaster = Forecaster(**QUICK, learning_rate=0.1).fit(walk, observer=listening)
    metrics = forecaster.metrics_
    beaten = metrics["validation_mae"] < metrics["validation_naive_mae"]
    assert beaten != any("does not beat the naive" in notice for notice in listening.notices)
    assert metrics["validation_mae"] <= metrics["validation_naive_mae"] * 1.02


def test_dates_of_either_order_are_read_as_told(fitted):
    later = seasonal(252)[240:]
    times = [f"01/{month:02}/1970" for month in range(1, 13)]
    assert fitted.forecast(1, later, times).times == ["01/01/1971"]  # its own steps are months
    with pytest.raises(
        InputError, match=r"^times: expected steps of a month, as from 1950-01 in training, got steps of"
    ):
        fitted.forecast(1, later, times, dates="month-first")
    assert fitted.evaluate(later, times, 6, dates="day-first")["examples"] == 7
    with pytest.raises(InputError, match=r"^times\[1\]: expected times that show what comes first, day or month,"):
        Forecaster().fit(seasonal(12), [f"{day:02}/01/1970" for day in range(1, 13)])


def test_the_coverage_of_the_intervals_is_near_what_was_asked_for():
    forecaster = Forecaster(**QUICK, horizon=3, season=1, coverage=0.8).fit(autoregressive(900))
    covered = forecaster.evaluate(autoregressive(3000)[900:])["interval_coverage"]
    assert abs(covered - 0.8) < 0.06
    assert abs(forecaster.metrics_["validation_interval_coverage"] - 0.8) < 0.12


def test_gaps_are_bridged_and_never_counted():
    values = seasonal()
    values[50:60] = np.nan
    values[::9] = np.nan
    listening = Listening()
    forecaster = Forecaster(**QUICK, horizon=6).fit(values, MONTHS, observer=listening)
    assert forecaster.model_.settings.masked
    assert f"{int(np.isnan(values).sum())} missing values" in listening.notices[0]
    assert forecaster.metrics_["validation_mae"] < 1
    assert np.isnan(forecaster.model_.series.values).sum() == np.isnan(values).sum()


def test_a_series_known_only_late_is_forecast_and_one_known_only_early_refused():
    values = autoregressive(150)
    late, early = values.copy(), values.copy()
    late[:60] = np.nan
    early[110:] = np.nan
    assert np.isfinite(Forecaster(**QUICK, horizon=4).fit(late).predict()).all()
    with pytest.raises(InputError, match=r"^value: expected numbers among the last 30 steps, .* got none$"):
        Forecaster(**QUICK, horizon=4).fit(early)


def test_several_targets_and_covariates():
    first, second = autoregressive(200), autoregressive(200, seed=1)
    forecaster = Forecaster(**QUICK, horizon=4).fit(np.stack([first, second], 1), None, np.roll(first, 1))
    assert forecaster.predict(9).shape == (9, 2)
    assert forecaster.model_.settings.names == ["value_1", "value_2", "covariate_1"]
    report = forecaster.evaluate(np.random.default_rng(0).normal(size=(20, 3)))
    assert list(report["targets"]) == ["value_1", "value_2"]
    assert report["mae"] == np.mean([figures["mae"] for figures in report["targets"].values()])


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_the_strategy_is_as_wanted(strategy):
    forecaster = Forecaster(**QUICK, horizon=4, strategy=strategy).fit(autoregressive(150))
    assert forecaster.model_.settings.block == {"direct": 4, "recursive": 1}[strategy]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, cell):
    options, values = QUICK | {"cell": cell, "dropout": 0.3}, autoregressive(150)
    whole = Forecaster(**options).fit(values)
    with pytest.raises(KeyboardInterrupt):
        Forecaster(**options).fit(values, checkpoints=tmp_path, observer=Listening((2, 1)))
    resumed = Forecaster(**options).fit(values, checkpoints=tmp_path, resume=True)
    for name, tensor in whole.model_.tensors().items():
        np.testing.assert_array_equal(tensor, resumed.model_.tensors()[name])
    with pytest.raises(InputError, match="resume=True expects the data the run began with"):
        Forecaster(**options).fit(values + 1, checkpoints=tmp_path, resume=True)


def test_a_model_folder_comes_back_whole(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(30), fitted.predict(30))
    assert (loaded.season_, loaded.horizon_, loaded.metrics_) == (12, 12, fitted.metrics_)
    assert loaded.get_params() == fitted.get_params()
    trained = Trained.load(tmp_path / "model")
    assert trained.forecast(30).times == fitted.forecast(30).times
    np.testing.assert_array_equal(trained.forecast(30).upper, fitted.forecast(30).upper)


def test_scikit_learns_manners():
    forecaster = Forecaster(horizon=3, season=12)
    assert clone(forecaster).get_params() == forecaster.get_params()
    with pytest.raises(NotFittedError):
        forecaster.predict()


def test_the_calendar_proposes_seasons_and_autocorrelation_where_there_is_none():
    t = np.arange(24 * 60)
    noise = np.random.default_rng(0).normal(size=len(t))
    hourly = TimeGrid("second", 3600)
    assert choose_season((10 * np.sin(2 * np.pi * t / 24) + noise)[:, None], hourly, 12) == 24
    assert choose_season((10 * np.sin(2 * np.pi * t / 17) + noise)[:, None], TimeGrid(), 12) in (17, 34)
    assert choose_season(noise[:300].cumsum()[:, None], TimeGrid(), 12) == 1
    assert cycles_of(hourly, 24, 400) == [24.0, 168.0]
    assert cycles_of(TimeGrid(), 17, 400) == [17.0]


def test_a_mix_beats_each_simple_forecast_where_it_should():
    values = autoregressive(600)
    anchor = choose_anchor(values[:400], [], 1, 1, 16)
    weights = anchor.weights[0]
    assert math.isclose(weights.sum(), 1)
    assert anchor.name == "mix of simple forecasts"
    assert anchor.error < np.abs(np.diff(values[260:400])).mean()


@pytest.mark.parametrize(
    ("series", "named", "message"),
    [
        ([1.0] * 5, {}, r"^series: expected \d+ steps or more, for a horizon of 1, a season of 1 and .*, got 5$"),
        ([], {}, r"^series: expected the shape \(steps, 1\), got \(0,\)$"),
        (["a"] * 50, {}, r"^series: expected real numbers"),
        ([1.0, math.inf] * 50, {}, r"^series\[1, 0\]: expected a number up to 1e\+100, or NaN, got inf$"),
        ([math.nan] * 50, {}, r"^value: expected numbers, got 0 known ones in the 40 of 50 steps to train on$"),
        ([[1.0, math.nan]] * 50, {}, r"^value_2: expected numbers, got 0 known ones in the 40 of 50 steps"),
        (range(50), {"times": ["1"] * 49}, r"^times: expected one for each of 50 steps, got 49$"),
        (range(50), {"times": ["1"] * 50}, r"^times\[1\]: expected times that differ, got 1 again; add"),
        (range(50), {"covariates": range(49)}, r"^covariates: expected 50 steps, as the series, got 49$"),
        (range(50), {"names": ["a", "b"]}, r"^names: expected 1 that differ, got a, b$"),
    ],
)  # fmt: skip
def test_a_series_that_cannot_be_used_is_refused(series, named, message):
    with pytest.raises(InputError, match=message):
        Forecaster(**QUICK).fit(series, **named)


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 0}, {"season": 0}, {"context": 1}, {"strategy": "both"}, {"coverage": 1}, {"coverage": 0.0},
        {"networks": 0}, {"validation": 0.0}, {"validation": 1.5}, {"epochs": 0}, {"hidden_size": 0},
        {"horizon": 60}, {"season": 80},
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_refused(options):
    with pytest.raises(InputError, match=r"^(\w+): expected "):
        Forecaster(**(QUICK | options)).fit(autoregressive(100))


def test_a_series_that_falls_to_zero_in_its_held_out_end_is_not_taken_for_its_logarithm():
    values = np.exp(np.arange(200) / 20)
    values[190] = 0
    forecaster = Forecaster(horizon=5, networks=1, hidden_size=4, epochs=1).fit(values)
    assert forecaster.model_.settings.logarithm == [False]


def test_the_season_is_chosen_for_the_horizon_that_will_be():
    hours = np.arange(24 * 30)
    values = 10 * np.sin(hours * math.pi / 12) + np.random.default_rng(0).standard_normal(len(hours))
    times = [f"{np.datetime64('2024-01-01T00') + hour}:00".replace("T", " ") for hour in hours]
    forecaster = Forecaster(networks=1, hidden_size=4, epochs=1).fit(values, times)
    assert (forecaster.horizon_, forecaster.season_) == (24, 24)


def holidays(steps=300):
    draw = np.random.default_rng(3)
    free = (draw.random(steps) < 0.1).astype(float)
    return 30 + 2 * np.sin(np.arange(steps) * 2 * np.pi / 7) + 15 * free + draw.normal(size=steps), free


def test_what_is_known_ahead_has_its_effect_and_is_asked_for():
    values, free = holidays()
    forecaster = Forecaster(**QUICK, horizon=7, season=7).fit(values[:280], known=free[:290])
    assert np.abs(forecaster.predict(10) - values[280:290]).max() < 6
    np.testing.assert_array_equal(forecaster.forecast(20, known=free[280:300]).values[:10, 0], forecaster.predict(10))
    assert forecaster.model_.settings.known == ["known_1"]
    with pytest.raises(InputError, match=r"^known: expected values of 'known_1' for the 11 steps .*, got 10$"):
        forecaster.predict(11)
    with pytest.raises(InputError, match=r"^known: expected 280 steps or more, as the series, got 20$"):
        Forecaster(**QUICK).fit(values[:280], known=free[:20])
    later = np.stack([np.append(values[280:285], np.full(7, np.nan)), free[280:292]], axis=1)
    said = forecaster.forecast(history=later).values[:, 0]
    assert np.abs(said - values[285:292]).max() < 6
    assert forecaster.evaluate(np.stack([values[280:], free[280:]], axis=1))["mae"] < 2.5


def test_what_is_saved_has_been_fitted_to_the_whole_series():
    values = np.concatenate([np.zeros(160), 10.0 * (np.arange(80) % 4 == 0)]) + seasonal(240, noise=0.1)
    early = Forecaster(**QUICK, season=12, horizon=4).fit(values)
    assert early.model_.level[0] == pytest.approx(values.mean(), abs=0.5)


def test_what_is_saved_is_no_worse_than_a_naive_forecast_on_the_held_out_part():
    values = np.random.default_rng(5).normal(size=300).cumsum()
    metrics = Forecaster(**QUICK, horizon=3).fit(values).metrics_
    least = min(metrics["validation_naive_mae"], metrics["validation_seasonal_naive_mae"])
    assert metrics["validation_mae"] <= least * 1.001


def test_a_run_stopped_while_it_is_fitted_anew_goes_on_to_the_same_bits(tmp_path):
    class Second(Listening):
        runs = 0

        def began(self, progress, epochs, steps):
            self.runs += 1

        def stepped(self, epoch, step, loss, examples):
            if self.runs == 2:
                raise KeyboardInterrupt

    values = autoregressive(400) * np.sin(np.arange(400) / 9)
    options = QUICK | {"learning_rate": 0.02, "epochs": 4}
    whole = Forecaster(**options).fit(values)
    assert whole.model_.output_scale.any()
    with pytest.raises(KeyboardInterrupt):
        Forecaster(**options).fit(values, checkpoints=tmp_path, observer=Second())
    resumed = Forecaster(**options).fit(values, checkpoints=tmp_path, resume=True)
    for name, tensor in whole.model_.tensors().items():
        np.testing.assert_array_equal(tensor, resumed.model_.tensors()[name])
    remove_checkpoint(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_day_and_a_week_of_half_hours_are_mixed():
    assert seasons_of(TimeGrid("second", 1800), 48, 4000) == ([48, 336], 385)
    assert seasons_of(TimeGrid("month", 1), 12, 60) == ([12], 13)
    assert seasons_of(TimeGrid(), 1, 60) == ([1], 9)
