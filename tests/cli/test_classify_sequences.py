"""``elman train classify`` and what follows, on sequences of numbers."""

import json

import numpy as np
import pytest

from tests.tasks.waves import EQUAL, KINDS, SEQUENCES

QUICK = ("--hidden-size", "8", "--epochs", "3", "--threads", "1")


@pytest.fixture(autouse=True)
def _files(tmp_path):
    rows = [":".join(",".join(map(repr, channel.tolist())) for channel in sequence.T) for sequence in SEQUENCES]
    lines = [f"{row}:{kind}\n" for row, kind in zip(rows, KINDS, strict=True)]
    (tmp_path / "waves.ts").write_text("@classLabel true slow fast\n@data\n" + "".join(lines))
    np.savez(tmp_path / "waves.npz", X=EQUAL, y=KINDS)
    steps = [
        f"w{place},{kind},{step},{swing!r},{speed!r}\n"
        for place, (sequence, kind) in enumerate(zip(SEQUENCES, KINDS, strict=True))
        for step, (swing, speed) in enumerate(sequence.tolist())
    ]
    (tmp_path / "waves.csv").write_text("id,kind,step,swing,speed\n" + "".join(steps))


def test_a_model_is_trained_evaluated_and_predicts(elman):
    trained = elman("train", "classify", "waves.ts", "--out", "model", *QUICK)
    assert trained.code == 0, trained.err
    assert "44 sequences to train on, 4 to validate, 2 classes; 2 channels, 13 to 29 steps" in trained.out
    assert "elman predict model/ input.ts" in trained.out
    report = json.loads(elman("evaluate", "model", "waves.ts", "--json").out)
    assert {"accuracy", "macro_f1", "per_class", "confusion_matrix", "seconds", "examples"} == report.keys()
    assert report["examples"] == 48
    predicted = [json.loads(line) for line in elman("predict", "model", "waves.ts").out.splitlines()]
    assert [record["sequence"] for record in predicted] == list(range(1, 49))
    accuracy = np.mean([record["label"] == kind for record, kind in zip(predicted, KINDS, strict=True)])
    assert accuracy == report["accuracy"]
    assert elman("predict", "model", "waves.npz", "--format", "tsv").out.count("\t") == 48
    told = elman("info", "model").out
    assert "model: a sequence classifier" in told
    assert "channels: 1, 2; read step by step" in told


def test_a_table_is_read_by_its_columns_then_and_later(elman, tmp_path):
    words = ["--sequence", "id", "--label", "kind", "--time", "step"]
    assert elman("train", "classify", "waves.csv", *words, "--out", "table", *QUICK).code == 0
    assert elman("train", "classify", "waves.ts", "--out", "model", *QUICK).code == 0
    first, second = (
        [json.loads(line) for line in elman("predict", model, file).out.splitlines()]
        for model, file in (("table", "waves.csv"), ("model", "waves.ts"))
    )
    assert first[0]["sequence"] == "w0"
    assert [record["probability"] for record in first] == [record["probability"] for record in second]
    assert "columns: sequence 'id', label 'kind', time 'step'" in elman("info", "table").out
    again = elman("train", "--config", "table/config.json", "--out", "again")
    assert again.code == 0, again.err
    assert (tmp_path / "table/model.safetensors").read_bytes() == (tmp_path / "again/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["waves.ts", "--tokens", "char"], "--tokens: expected this option for texts, got sequences of numbers"),
        (["waves.csv", "--frame-size", "2"], "--frame-size: expected this option for sequences of numbers"),
        (["waves.ts", "--frame-size", "0"], "--frame-size: expected an integer of at least 1, got 0"),
        (["waves.csv", "--sequence", "no"], "waves.csv, line 1: expected a column 'no', the columns are"),
        (["waves.csv", "--sequence", "id", "--label", "kind", "--channel", "kind"], "expected each column once"),
        (["none.ts"], "none.ts: expected a file, there is none of that name"),
        (["waves.ts", "--validation", "odd.ts"], "odd.ts, line 3, label: expected a label seen in training, got 'odd'"),
        (["odd.ts"], "odd.ts, label: expected two classes or more, all rows have 'odd'"),
        (["waves.ts", "--validation", "thin.ts"], "validation X[0]: expected 2 channels, got 1"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_written(elman, tmp_path, words, message):
    (tmp_path / "odd.ts").write_text("@classLabel true\n@data\n1,2:2,3:odd\n")
    (tmp_path / "thin.ts").write_text("@classLabel true\n@data\n1,2:slow\n")
    refused = elman("train", "classify", *words, "--out", "model", *QUICK)
    assert refused.code == 2
    said, line = refused.err.splitlines()[:-1], refused.err.splitlines()[-1]
    assert line.startswith("elman: ")
    assert message in line
    assert said in ([], ["reading waves.ts, then loading PyTorch"])  # where the file as such is sound
    assert not (tmp_path / "model/config.json").exists()


def test_a_file_of_other_channels_is_refused_later(elman, tmp_path):
    assert elman("train", "classify", "waves.ts", "--out", "model", *QUICK).code == 0
    (tmp_path / "thin.ts").write_text("@classLabel true\n@data\n1,2:slow\n")
    for command in ("evaluate", "predict"):
        refused = elman(command, "model", "thin.ts")
        assert (refused.code, refused.err) == (
            2, "elman: thin.ts, line 3: expected 2 channels, as in training, got 1\n",
        )  # fmt: skip
    assert "expected jsonl or tsv, got 'xml'" in elman("predict", "model", "waves.ts", "--format", "xml").err
    assert "labels the model has never seen" not in elman("evaluate", "model", "waves.ts").err
