"""``elman train forecast``, and what comes after it."""

import csv
import io
import json
import math
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from elman.cli import main

QUICK = ("--networks", "1", "--hidden-size", "4", "--epochs", "2", "--threads", "1")


def rows(first, count):
    for i in range(first, first + count):
        yield f"{1990 + i // 12}-{i % 12 + 1:02}", 10 + 3 * math.sin(i * math.pi / 6) + (i * 7919 % 13) / 20, i % 5


def write_series(path, first=0, count=120, covariate=True):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["month", "sales", *(["price"] if covariate else [])])
        writer.writerows(row if covariate else row[:2] for row in rows(first, count))
    return path.name


@pytest.fixture(scope="session")
def _trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast")
    write_series(folder / "sales.csv")
    words = ["--time", "month", "--target", "sales", "--covariate", "price", "--horizon", "6", *QUICK]
    assert main(["train", "forecast", str(folder / "sales.csv"), "--out", str(folder / "model"), *words]) == 0
    return folder / "model"


@pytest.fixture
def model(_trained, tmp_path):
    shutil.copytree(_trained, tmp_path / "model")
    return "model"


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_training_says_what_it_found_and_what_is_next(elman, tmp_path):
    file = write_series(tmp_path / "sales.csv")
    told = elman("train", "forecast", file, "--time", "month", "--target", "sales", "--out", "m", *QUICK)
    assert told.code == 0, told.err
    assert "120 steps of a month, 1990-01 to 1999-12; the last 24 are held out" in told.out
    assert "horizon 12, a season of 12 steps (season and horizon chosen from the data)" in told.out
    assert "held-out part (" in told.out
    assert "elman forecast m/ --horizon 24 --plot forecast.png" in told.out
    assert sorted(path.name for path in Path("m").iterdir()) == [
        "config.json", "history.csv", "metrics.json", "model.safetensors"
    ]  # fmt: skip


def test_figures_of_one_epoch_are_the_same_wherever_they_stand(elman, tmp_path):
    file = write_series(tmp_path / "sales.csv")
    words = ("--time", "month", "--target", "sales", "--horizon", "6", "--out", "m", *QUICK)
    said = elman("train", "forecast", file, *words, "--verbose").out
    lines = {line.split()[0]: line.split() for line in said.partition("fitted anew")[0].splitlines() if "/2 " in line}
    kept = re.search(r"kept: epoch (\d) of 2, validation MAE (\S+), MAE over seasonal naive (\S+)\n", said)
    assert lines[f"{kept[1]}/2"][2:4] == [kept[2], kept[3]]
    held = re.search(r"held-out part \((?:direct|recursive)\): MAE (\S+), naive (\S+),", said)
    metrics = json.loads(Path("m/metrics.json").read_text())
    assert [float(found) for found in held.groups()] == pytest.approx(
        [metrics["validation_mae"], metrics["validation_naive_mae"]], abs=1e-4
    )
    assert "\nThe model lies in m/. Next:\n" in said


def test_intervals_that_rest_on_few_forecasts_say_so_where_they_are_shown(elman, tmp_path):
    file = write_series(tmp_path / "sales.csv", count=60, covariate=False)
    words = ("--time", "month", "--horizon", "6", "--target", "sales", "--out", "few", *QUICK)
    assert re.search(
        r"held \d+\.\d% of it, and rest on only 7 forecasts: widened\n", elman("train", "forecast", file, *words).out
    )
    rough = "the intervals rest on only 7 forecasts of the held-out part, and are rough\n"
    later = write_series(tmp_path / "later.csv", first=60, count=7, covariate=False)
    for command in (("forecast", "few"), ("forecast", "few", "--out", "x.csv"), ("predict", "few", later)):
        assert elman(*command).err == rough
    found = elman("forecast", "few", "--format", "json")
    assert (json.loads(found.out)["calibration"], found.err) == (7, rough)
    assert "intervals: 90%, from only 7 forecasts of the held-out part\n" in elman("info", "few").out
    evaluated = elman("evaluate", "few", later).out
    assert evaluated.startswith("2 forecasts of 6 steps in ")
    assert evaluated.endswith("\nThese figures rest on only 2 forecasts, and are rough.\n")


def test_a_forecast_goes_to_standard_output_or_a_file(elman, model):
    told = elman("forecast", model)
    assert told.code == 0, told.err
    found = table(told.out)
    assert list(found[0]) == ["month", "sales", "sales_lower", "sales_upper"]
    assert [row["month"] for row in found] == ["2000-01", "2000-02", "2000-03", "2000-04", "2000-05", "2000-06"]
    assert all(float(row["sales_lower"]) < float(row["sales"]) < float(row["sales_upper"]) for row in found)
    assert elman("forecast", model, "--horizon", "15", "--out", "long.csv").out == ""
    assert len(table(Path("long.csv").read_text())) == 15
    as_json = json.loads(elman("forecast", model, "--format", "json", "--coverage", "0.5").out)
    assert (as_json["coverage"], as_json["times"][0]) == (0.5, "2000-01")
    values = as_json["targets"]["sales"]["values"]
    assert values == pytest.approx([float(row["sales"]) for row in found], abs=5e-3)


def test_a_file_is_gone_on_from(elman, model, tmp_path, monkeypatch):
    later = write_series(tmp_path / "later.csv", first=120, count=3)
    told = elman("forecast", model, later, "--horizon", "2")
    assert [row["month"] for row in table(told.out)] == ["2000-04", "2000-05"]
    whole = write_series(tmp_path / "whole.csv", count=123)
    assert elman("forecast", model, whole, "--horizon", "2").out == told.out
    assert table(elman("predict", model, later).out)[:2] == table(told.out)
    from types import SimpleNamespace

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(Path(later).read_bytes())))
    assert elman("predict", model, "-").out == elman("predict", model, later).out


def test_evaluation_prints_the_figures(elman, model, tmp_path):
    later = write_series(tmp_path / "later.csv", first=120, count=30)
    report = json.loads(elman("evaluate", model, later, "--json").out)
    for name in ("mae", "naive_mae", "seasonal_naive_mae", "interval_coverage", "seconds", "targets"):
        assert name in report
    assert (report["examples"], report["horizon"], report["series"]) == (25, 6, "goes on after the training series")
    assert report["mae"] < report["naive_mae"]
    assert json.loads(elman("evaluate", model, later, "--json", "--horizon", "9").out)["examples"] == 22
    shown = elman("evaluate", model, later).out
    assert "25 forecasts of 6 steps" in shown
    assert "goes on after the training series" in shown


def test_info_says_what_the_model_is(elman, model):
    shown = elman("info", model).out
    assert "a forecaster" in shown
    assert "series: 120 steps of a month, 1990-01 to 1999-12" in shown
    assert "covariates: price" in shown


def test_a_run_repeats_from_its_configuration(elman, tmp_path):
    file = write_series(tmp_path / "sales.csv")
    words = ("--time", "month", "--target", "sales", "--covariate", "price", *QUICK)
    assert elman("train", "forecast", file, "--out", "first", *words).code == 0
    assert elman("train", "--config", "first/config.json", "--out", "again").code == 0
    assert Path("first/model.safetensors").read_bytes() == Path("again/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("forecast", "model", "none.csv"), "elman: none.csv: expected a file, there is none of that name\n"),
        (("forecast", "model", "--horizon", "0"), "elman: --horizon: expected an integer from 1 to 100000, got 0\n"),
        (("forecast", "model", "--coverage", "1.5"), "elman: --coverage: expected a number between 0 and 1, got 1.5\n"),
        (("forecast", "model", "--format", "xml"), "elman: --format: expected csv or json, got 'xml'\n"),
        (("evaluate", "model", "short.csv"), "elman: short.csv: series: expected 6 steps or more"),
        (("evaluate", "model", "short.csv", "--horizon", "0"), "elman: --horizon: expected an integer from 1 to"),
        (("forecast", "model", "days.csv"), "elman: days.csv: times: expected steps of a month, as from 1990-01"),
        (("train", "forecast", "days.csv", "--out", "m", "--validation", "x"), "elman train forecast: --validation: "),
        (("train", "forecast", "days.csv", "--out", "m"), "elman: days.csv: expected --target, one or more of"),
        (("train", "forecast", "short.csv", "--target", "sales", "--out", "m"), "elman: short.csv: series: expected"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_a_line_and_nothing_is_written(elman, model, tmp_path, words, message):
    write_series(tmp_path / "short.csv", first=120, count=2)
    (tmp_path / "days.csv").write_text("month,sales,price\n2000-01-01,1,1\n2000-01-02,1,1\n")
    told = elman(*words)
    assert told.code == 2
    refusal = told.err.removeprefix("reading short.csv, then loading PyTorch\n")  # which is a table as such
    assert refusal.startswith(message)
    assert refusal.count("\n") == 1
    assert not Path("m/config.json").exists()


def test_a_picture_needs_its_package(elman, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = elman("forecast", model, "--plot", "x.png")
    assert (told.code, told.out) == (1, "")
    assert re.fullmatch(r"elman: --plot needs matplotlib: pip install .*\[plot]'?\n", told.err)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_drawn(elman, model, suffix, magic):
    told = elman("forecast", model, "--plot", f"x.{suffix}")
    assert told.code == 0, told.err
    assert Path(f"x.{suffix}").read_bytes().startswith(magic)
    assert elman("forecast", model, "--plot", "x.gif").err.startswith("elman: --plot: expected a file named .png")


def write_rows(path, *lines):
    path.write_text("\n".join(["month,sales,price", *lines]) + "\n")
    return path.name


def test_later_rows_are_put_where_they_belong(elman, model, tmp_path):
    gap = write_rows(tmp_path / "gap.csv", "2000-01,10,1", "2000-03,11,2")  # February is missing
    assert table(elman("forecast", model, gap).out)[0]["month"] == "2000-04"
    one = write_rows(tmp_path / "one.csv", "2000-03,11,2")
    assert table(elman("forecast", model, one).out)[0]["month"] == "2000-04"
    far = elman("forecast", model, write_rows(tmp_path / "far.csv", "2030-03,11,2"))
    assert (far.code, far.out) == (2, "")
    assert "steps or more of another series, got 1" in far.err


def test_times_come_out_in_the_form_and_zone_of_the_file(elman, tmp_path):
    months = [f"{1990 + i // 12}/{i % 12 + 1:02}/01" for i in range(123)]
    lines = [f"{month},{10 + 3 * math.sin(i):.3f},1" for i, month in enumerate(months)]
    file = write_rows(tmp_path / "sales.csv", *lines[:120])
    assert elman("train", "forecast", file, "--time", "month", "--target", "sales", "--out", "m", *QUICK).code == 0
    assert [row["month"] for row in table(elman("forecast", "m", "--horizon", "3").out)] == months[120:]
    zoned = [f"{month.replace('/', '-')}T00:00:00+05:30{line[10:]}" for month, line in zip(months, lines, strict=True)]
    later = write_rows(tmp_path / "later.csv", *zoned[120:122])
    assert table(elman("forecast", "m", later, "--horizon", "1").out)[0]["month"] == "2000-03-01T00:00:00+05:30"


def test_what_is_read_or_moved_is_said(elman, tmp_path):
    months = [f"{1990 + i // 12}{i % 12 + 1:02}" for i in range(120)]
    file = write_rows(tmp_path / "sales.csv", *(f"{month},{i % 12},1" for i, month in enumerate(months)))
    told = elman("train", "forecast", file, "--time", "month", "--target", "sales", "--out", "m", *QUICK)
    assert told.out.startswith("the times were read as YYYYMM: 199001 is 1990-01-01\n120 steps of a month, 199001 to")
    later = write_rows(tmp_path / "later.csv", "200001,1,1", "200003,1,1")
    told = elman("forecast", "m", later, "--horizon", "1")
    assert table(told.out)[0]["month"] == "200004"
    assert "later.csv: 1 of 3 steps (a month each) have no row" in told.err


def test_what_was_trained_on_is_not_evaluated_on(elman, model, tmp_path):
    earlier = write_series(tmp_path / "earlier.csv", first=-12, count=120 + 12 + 10)
    report = json.loads(elman("evaluate", model, earlier, "--json").out)
    assert report["series"] == "overlaps the training series"
    assert report["examples"] == 10 - 6 + 1


def test_files_are_not_replaced_unasked(elman, model, tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    refused = elman("forecast", model, "--out", "mine.csv", "--plot", "new.png")
    assert (refused.code, Path("mine.csv").read_text(), Path("new.png").exists()) == (2, "mine", False)
    assert (
        refused.err
        == "elman: mine.csv: expected a new file, there is one already; choose another name or add --overwrite\n"
    )
    assert elman("forecast", model, "--out", "mine.csv", "--overwrite").code == 0
    assert Path("mine.csv").read_text() != "mine"
    absent = elman("forecast", model, "--out", "nowhere/x.csv", "--plot", "new.png")
    assert (absent.code, Path("new.png").exists()) == (2, False)


def test_as_many_digits_are_written_as_the_interval_is_wide(elman, tmp_path):
    lines = [f"{1990 + i // 12}-{i % 12 + 1:02},{7e9 + 1e4 * math.sin(i):.1f},1" for i in range(120)]
    file = write_rows(tmp_path / "large.csv", *lines)
    assert elman("train", "forecast", file, "--time", "month", "--target", "sales", "--out", "m", *QUICK).code == 0
    [row, *_] = table(elman("forecast", "m").out)
    assert len(row["sales"].partition(".")[0]) == 10
    assert float(row["sales_lower"]) < float(row["sales"]) < float(row["sales_upper"])


def test_a_series_is_not_trained_on_from_standard_input(elman):
    done = elman("train", "forecast", "-", "--time", "month", "--target", "sales", "--out", "m")
    assert (done.code, done.err) == (2, "elman: FILE: expected a file to train on, got standard input\n")


def test_what_is_known_ahead_comes_in_rows_behind_the_last_target(elman, tmp_path):
    def write(name, first, last, ahead):
        lines = [f"{day},{'' if day >= last else 10 + day % 7 + 5 * (day % 11 == 0)},{int(day % 11 == 0)}" for day in
                 range(first, last + ahead)]  # fmt: skip
        (tmp_path / name).write_text("day,sales,free\n" + "\n".join(lines) + "\n")

    write("sales.csv", 0, 140, 8)
    words = ("--target", "sales", "--time", "day", "--horizon", "7", "--season", "7", *QUICK)
    told = elman("train", "forecast", "sales.csv", "--known", "free", "--out", "m", *words)
    assert told.code == 0, told.err
    assert "140 steps of 1, 0 to 139" in told.out
    said = [float(row["sales"]) for row in table(elman("forecast", "m", "--horizon", "8").out)]
    assert said == pytest.approx([10 + day % 7 + 5 * (day % 11 == 0) for day in range(140, 148)], abs=1)
    told = elman("forecast", "m", "--horizon", "9")
    assert told.code == 2
    assert (
        "known: expected values of 'free' for the 9 steps to forecast, in rows behind the last target, got 8"
        in told.err
    )
    write("rows.csv", 140, 140, 12)
    assert len(table(elman("forecast", "m", "rows.csv", "--horizon", "12").out)) == 12
    write("later.csv", 140, 150, 3)
    found = table(elman("forecast", "m", "later.csv", "--horizon", "3").out)
    assert [row["day"] for row in found] == ["150", "151", "152"]
    assert "known ahead: free" in elman("info", "m").out
    write("none.csv", 140, 150, 0)
    told = elman("forecast", "m", "none.csv")
    assert told.code == 2
    assert told.err.count("\n") == 1


def test_a_model_that_lost_to_a_naive_forecast_says_so_before_it_is_used(elman, model):
    path = Path(model) / "config.json"
    config = json.loads(path.read_text())
    config["recent"] = [1.2]
    path.write_text(json.dumps(config))
    doubt = "the error was above the better naive forecast's on the most recent part: sales 1.20 of it"
    told = elman("forecast", model)
    assert told.err.startswith(f"{model}: {doubt}\n")
    assert len(table(told.out)) == 6
    assert doubt in elman("info", model).out
