import dataclasses
import json

import pytest

from elman.bench._cases import Case, Shape
from elman.bench._report import Report, Timing, geometric_mean
from elman.bench._table import WIDTH, as_text, show
from tests.bench.reports import MACHINE, whole_report

SHAPE = Shape(100, 1, 8, 8)


def small_report(**best):
    """Return a report of one case: contenders with a time on one thread, and one on two."""
    report = Report(MACHINE, {"elman": "1.2.3"}, {"rounds": 2, "seconds": 0.1, "threads": [1, 2]}, {})
    for name, times in best.items():
        for threads, time in zip((1, 2), times, strict=True):
            report.timings.append(Timing("inference", SHAPE, name.replace("_", " "), threads, "", [time + 1, time]))
    return report


def test_a_report_is_read_back_from_json():
    report = whole_report()
    text = report.to_json()
    assert Report.from_json(text) == report
    content = json.loads(text)
    assert list(content) == ["format", *(field.name for field in dataclasses.fields(Report))]
    assert list(content["timings"][0]) == ["kind", "shape", "contender", "threads", "variant", "rounds"]
    assert list(content["failures"][0]) == ["kind", "shape", "contender", "threads", "reason"]
    assert len(text.splitlines()) > len(report.timings)  # a line each


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "elman bench 0"}'])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match="expected a file of the format 'elman bench 1'"):
        Report.from_json(text)


def test_each_contender_counts_with_its_better_number_of_threads():
    (row,) = small_report(elman_layer=(4.0, 3.0), elman_runtime=(2.0, 5.0), torch=(8.0, 9.0), jax=(7.0, 6.0)).rows()
    assert row.case == Case("inference", SHAPE)
    assert {name: (timing.threads, timing.best) for name, timing in row.timings.items()} == {
        "elman layer": (2, 3.0),
        "elman runtime": (1, 2.0),
        "torch": (1, 8.0),
        "jax": (2, 6.0),
    }
    assert (row.ours.contender, row.best_peer.contender) == ("elman runtime", "jax")
    assert (row.ratio(), row.ratio("torch"), row.ratio("numba")) == (3.0, 4.0, None)
    assert row.ours.median == 2.5


def test_like_is_compared_with_like():
    report = small_report(
        elman_layer=(9.0, 6.0), elman_engine=(4.0, 3.0), torch=(8.0, 15.0), onednn=(6.0, 7.0), numba=(9.0, 9.0)
    )
    (row,) = report.rows()
    assert row.ours.contender == "elman layer"
    assert (row.beside("torch").contender, row.beside("onednn").contender) == ("elman layer", "elman engine")
    assert (row.ratio("torch"), row.ratio("onednn"), row.ratio("numba")) == (8 / 6, 6 / 3, 9 / 6)
    assert (row.best_peer.contender, row.ratio()) == ("torch", 8 / 6)


def test_what_python_calls_may_stand_beside_c_where_it_is_the_fastest():
    (row,) = small_report(elman_runtime=(2.0, 2.0), elman_engine=(3.0, 3.0), onednn=(6.0, 7.0)).rows()
    assert row.beside("onednn").contender == "elman runtime"


def test_a_report_knows_its_cell_and_files_from_before_are_of_the_plain_one():
    assert small_report().family.name == "rnn"
    report = whole_report(cell="gru")
    assert {row.case.cell for row in report.rows()} == {"gru"}
    assert "GRU training: µs a call" in as_text(report)


def test_the_table_says_where_there_were_fewer_rounds():
    report = small_report(elman_layer=(4.0, 3.0))
    report.timings.append(Timing("inference", SHAPE, "torch", 1, "", [5.0]))
    assert "best of up to 2 rounds" in as_text(report)


def test_the_table_shows_best_round_median_threads_best_peer_and_share():
    text = as_text(small_report(elman_layer=(4.0, 3.0), elman_runtime=(1.28, 5.0), torch=(12345.0, 99999.0)))
    head, *lines = text.partition("RNN inference: ")[2].splitlines()
    assert head == "µs a call, best of 2 rounds, median below; 2 threads, 1 where it says /1"
    assert lines[:4] == [
        "steps,batch, elman   elman         best peer    of",
        "input,hidden layer runtime   torch    / ours sgemm",
        "100,1,8,8     3.00  1.28/1 12345/1  9644.53x  0.10",  # 2 * 100 * 8 * 16 flops in 1.28 µs: 20 Gflop/s of 207
        "              3.50    1.78   12346     torch",
    ]
    assert "\n\nbest peer / ours: the time of the fastest other library over ours\nof sgemm: our rate" in text
    assert "inference, torch / ours: geometric mean 9644.53x, 1 shape of 50 steps and more" in text
    assert "float32 matrix product 207 Gflop/s (MKL 90, OpenBLAS 207); copy 9.2 GB/s" in text


def test_a_table_of_each_number_of_threads_and_what_more_of_them_bring(capsys):
    show(small_report(elman_layer=(6.0, 4.0), torch=(9.0, 10.0)), by_threads=True)
    text = capsys.readouterr().out
    head, *lines = text.partition("RNN inference by threads: ")[2].splitlines()
    assert head == "µs a call, best of 2 rounds; below, times as fast as on 1"
    assert [line.rstrip() for line in lines[:6]] == [
        "steps,batch, elman       best peer",
        "input,hidden layer torch    / ours",
        "100,1,8,8     6.00  9.00     1.50x",
        "  1 thread                   torch",
        "              4.00  10.0     2.50x",
        "  2 threads  1.50x 0.90x     torch",
    ]
    assert "inference, 2 threads over 1: geometric mean 1.50x, 1 shape of 50 steps and more" in text


def test_a_peer_that_failed_somewhere_leaves_a_gap():
    report = small_report(elman_layer=(4.0, 3.0), torch=(8.0, 9.0))
    report.timings.append(Timing("inference", Shape(50, 2, 3, 4), "elman layer", 1, "", [5.0]))
    lines = as_text(report).splitlines()
    (line,) = (line for line in lines if line.startswith("50,2,3,4"))
    assert line.split() == ["50,2,3,4", "5.00/1", "-", "-", "0.01"]


@pytest.mark.parametrize("longest", [99_999.0, 999_999.0, 9e7])
def test_the_whole_table_fits_into_a_hundred_columns(longest):
    lines = as_text(whole_report(longest)).splitlines()
    assert max(map(len, lines)) <= WIDTH == 100
    assert not any("…" in line for line in lines)
    shapes = [line.split()[0] for line in lines if line.count(",") >= 3 and line[0].isdigit()]
    assert len(shapes) == 11 + 11 + 2
    assert "missing: keras (pip install keras)" in lines
    assert "left out: jax at step 1,1,4,6 and 1 more: ended with -11" in lines


def test_means_are_geometric():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)
