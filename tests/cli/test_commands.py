import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from elman import save
from elman.cells import VoltageLeaky
from elman.runtime import Recurrent
from tests.cli.conftest import QUICK, write_lines
from tests.tasks.lines import LABELS, SAYINGS, TEXTS

PROGRAM = [sys.executable, "-m", "elman"]


def test_training_says_what_it_does_and_what_to_type_next(elman, lines):
    done = elman("train", "classify", lines, "--out", "my model", *QUICK)
    assert (done.code, done.err) == (0, f"reading {lines}, then loading PyTorch\n")
    said = done.out.splitlines()
    assert said[0].startswith("36 texts to train on, 4 to validate, 2 classes; texts are read by characters")
    assert said[1] == "validation rests on only 4 texts: its scores are rough"
    assert re.fullmatch("epoch +loss +validation loss +accuracy +seconds", said[2])
    assert re.fullmatch(r"  1/2( +\d\.\d{4}){3} +\d+\.\d", said[3])
    kept = said[said.index("") - 1]
    assert re.fullmatch(r"kept: epoch [12] of 2, validation loss \S+, accuracy \S+ \(only 4 texts\)", kept)
    assert "\nThe model lies in 'my model/'. Next:\n" in done.out
    assert "  elman evaluate 'my model/' test.csv\n  elman predict 'my model/' input.txt\n" in done.out
    assert not Path("my model/checkpoint").exists()
    assert elman("evaluate", "my model/", lines).code == 0


@pytest.mark.parametrize(("name", "dialect"), [("x.csv", "excel"), ("x.tsv", "excel-tab")])
def test_columns_are_remembered(elman, name, dialect):
    write_lines(name, header=("verse", "book"), dialect=dialect)
    words = ("--text", "verse", "--label", "book", "--tokens", "char", "--no-bidirectional", "--engine", "torch")
    assert elman("train", "classify", name, "--out", "m", *words, *QUICK).code == 0
    assert elman("evaluate", "m", name).code == 0
    assert len(elman("predict", "m", name).out.splitlines()) == len(TEXTS)
    info = elman("info", "m").out
    assert "columns: text 'verse', label 'book'" in info
    assert "in one direction, 2 classes" in info


def test_validation_from_a_file(elman, lines):
    done = elman("train", "classify", lines, "--out", "m", "--validation", lines, *QUICK)
    assert done.out.startswith("40 texts to train on, 40 to validate")


def test_evaluate_prints_one_json_object(elman, model, lines):
    done = elman("evaluate", model, lines, "--json")
    report = json.loads(done.out)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert report["accuracy"] >= 0.9
    assert report["examples"] == 40
    assert report["seconds"] > 0
    rows = report["confusion_matrix"]["rows"]
    assert report["confusion_matrix"]["labels"] == list(report["per_class"]) == ["论语", "诗经"]
    assert [sum(row) for row in rows] == [20, 20]
    assert report["accuracy"] == (rows[0][0] + rows[1][1]) / 40
    f1 = [figures["f1"] for figures in report["per_class"].values()]
    assert report["macro_f1"] == pytest.approx(sum(f1) / 2)
    table = elman("evaluate", model, lines).out
    assert f"accuracy  {report['accuracy']:.2%}" in table
    assert "precision" in table


def test_figures_that_rest_on_few_examples_say_so_where_they_stand(elman, model, lines):
    rough = "These figures rest on only 40 texts, and are rough."
    assert elman("evaluate", model, lines).out.splitlines()[-1] == rough
    write_lines("one.csv", [(TEXTS[0], LABELS[0])])
    shown = elman("evaluate", model, "one.csv").out.splitlines()
    assert shown[1].startswith("1 example in ")
    assert shown[-1] == "These figures rest on only 1 text, and are rough."
    write_lines("many.csv", [*zip(TEXTS, LABELS, strict=True)] * 2)
    assert "rough" not in elman("evaluate", model, "many.csv").out
    assert "  validation examples: only 4 texts: the scores are rough\n" in elman("info", model).out
    assert json.loads(Path(model, "metrics.json").read_text())["validation_examples"] == 4


def test_a_model_of_before_that_counts_its_validation_part_elsewhere_says_how_few_it_was(elman, model):
    metrics = Path(model, "metrics.json")
    metrics.write_text(metrics.read_text().replace('"validation_examples": 4', '"validation_other": 1.0'))
    assert "  validation examples: only 4 texts: the scores are rough\n" in elman("info", model).out


def test_labels_never_seen_count_as_wrong(elman, model):
    write_lines("x.csv", [(SAYINGS[0], "论语"), ("世人结交须黄金", "唐诗")])
    done = elman("evaluate", model, "x.csv", "--json")
    assert json.loads(done.out)["accuracy"] == 0.5
    assert done.err == "labels the model has never seen, counted as wrong: 唐诗\n"


def test_predict_gives_a_line_for_each_line(elman, model):
    Path("input.txt").write_text("\n".join([*TEXTS, ""]), encoding="utf-8")
    found = [json.loads(line) for line in elman("predict", model, "input.txt").out.splitlines()]
    assert [each["text"] for each in found] == TEXTS
    assert sum(each["label"] == label for each, label in zip(found, LABELS, strict=True)) >= 36
    assert all(0.5 <= each["probability"] <= 1 for each in found)
    as_tsv = elman("predict", model, "input.txt", "--format", "tsv").out.splitlines()
    assert [line.split("\t") for line in as_tsv] == [[e["label"], str(e["probability"])] for e in found]
    Path("x.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    assert [json.loads(line) for line in elman("predict", model, "x.jsonl").out.splitlines()] == found


def test_predict_answers_a_pipe_line_by_line_and_in_utf8(model):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [*PROGRAM, "predict", model, "-", "--threads", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        for text in ("关关雎鸠，在河之洲。", "子曰：“君子不器。”"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text  # an answer before the next line
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_predict_survives_a_closed_pipe_and_a_full_disk(model):
    Path("input.txt").write_text("君子不器。\n" * 3000, encoding="utf-8")
    command = " ".join([*PROGRAM, "predict", model, "input.txt", "--threads", "1"])
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -n 1"], capture_output=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count(b"\n")) == (0, b"", 1)
    full = subprocess.run(["bash", "-c", f"{command} > /dev/full"], capture_output=True, text=True, check=False)
    assert full.returncode == 2
    assert full.stderr == "elman: expected output that can be written, got: No space left on device\n"


@pytest.mark.parametrize("left", [None, "m/checkpoint"])
def test_a_run_of_which_nothing_has_been_kept_begins(elman, lines, left):
    if left:
        Path(left).mkdir(parents=True)
    if left == "m/checkpoint":  # killed while it wrote the first
        Path(left, "epoch-0001-step-0000003.safetensors").touch()
        Path(left, ".checkpoint.json-1a2b").touch()
    done = elman("train", "classify", lines, "--out", "m", *QUICK, "--resume")
    assert done.code == 0
    assert "m: nothing has been kept there yet; the run begins\n" in done.out
    assert elman("info", "m").code == 0
    assert not Path("m/checkpoint").exists()


def test_resume_spares_what_is_no_run_s(elman, lines):
    Path("m/checkpoint").mkdir(parents=True)
    Path("m/checkpoint/mine.txt").touch()
    done = elman("train", "classify", lines, "--out", "m", *QUICK, "--resume")
    assert done.err == "elman: m: expected a new or empty folder, got one with other files; choose another name\n"


def test_a_finished_run_has_nothing_to_resume(elman, lines):
    words = ("train", "classify", lines, "--out", "m", *QUICK)
    elman(*words)
    before = Path("m/model.safetensors").stat().st_mtime_ns
    done = elman(*words, "--resume")
    assert (done.code, done.out) == (0, "m: the run has finished already, there is nothing to resume\n")
    assert Path("m/model.safetensors").stat().st_mtime_ns == before
    other = elman(*words, "--seed", "3", "--resume")
    assert (other.code, other.err) == (2, "elman: m: holds a finished model with --seed 0, got 3\n")


def test_a_run_of_the_time_before_there_was_a_choice_of_cells_had_elman_s(elman, lines):
    words = ("train", "classify", lines, "--out", "m", *QUICK, "--resume")
    elman(*words)
    config = json.loads(Path("m/config.json").read_text(encoding="utf-8"))
    assert config["run"]["options"].pop("cell") == config["options"].pop("cell") == "rnn"
    Path("m/config.json").write_text(json.dumps(config), encoding="utf-8")
    assert elman(*words).out == "m: the run has finished already, there is nothing to resume\n"
    other = elman(*words, "--cell", "lstm")
    assert (other.code, other.err) == (2, "elman: m: holds a finished model with --cell rnn, got lstm\n")
    assert elman("train", "--config", "m/config.json", "--out", "again", "--threads", "1").code == 0
    assert Path("m/model.safetensors").read_bytes() == Path("again/model.safetensors").read_bytes()


def test_overwrite_replaces_a_model(elman, model, lines):
    assert elman("train", "classify", lines, "--out", model, "--overwrite", *QUICK).code == 0
    assert "1 x 8 RNN units" in elman("info", model).out


def test_info_shows_what_a_model_is(elman, model):
    out = elman("info", model).out
    for part in ("embedding 16, 1 x 16 RNN units in two directions, 2 classes", "论语: 18", "validation: 4", "torch: "):
        assert part in out
    assert "file: lines.csv" in out
    assert "  epochs: 25\n" in out
    assert "  batch size: by default\n" in out
    assert "  learning rate: 0.003\n" in out
    assert "None" not in out


@pytest.mark.parametrize(("gates", "said"), [(1, "relu"), (3, "GRU"), (4, "LSTM")])
def test_info_shows_what_a_network_is(elman, gates, said):
    rows = 6 * gates
    shapes = {"weight_ih_l0": (rows, 4), "weight_hh_l0": (rows, 6), "bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
    nonlinearity = "relu" if gates == 1 else None
    save({name: np.zeros(shape, "f") for name, shape in shapes.items()}, "rnn.safetensors", nonlinearity=nonlinearity)
    done = elman("info", "rnn.safetensors")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("rnn.safetensors: a recurrent network\n")
    assert f"4 inputs, 1 x 6 units in one direction, {said}, with biases" in done.out
    assert "input: (steps, batch, 4), float32" in done.out


def test_info_shows_what_a_network_has_besides_its_cells(elman):
    shapes = {"weight_ih_l0": (6, 4), "weight_hh_l0": (6, 6), "h_0_l0": (6,)}
    shapes |= {"weight_ih_l1": (8, 6), "weight_hh_l1": (8, 8), "h_0_l1": (8,)}
    save({name: np.zeros(shape, "f") for name, shape in shapes.items()}, "rnn.safetensors", residual=True)
    said = "4 inputs, 6 and 8 units in one direction, tanh, without biases, learned initial states, residual"
    assert said in " ".join(elman("info", "rnn.safetensors").out.split())


def test_info_shows_what_a_cell_of_ones_own_is(elman):
    shapes = {"weight_ih_l0": (6, 4), "weight_hh_l0": (6, 6), "leak_l0": (6,)}
    program = VoltageLeaky([0.1] * 6, noise=0).program
    save(Recurrent({name: np.zeros(shape, "f") for name, shape in shapes.items()}, program), "own.safetensors")
    said = "1 x 6 units in one direction, a cell of one's own (gates a; states r, v), without biases"
    assert said in " ".join(elman("info", "own.safetensors").out.split())


def test_what_a_model_says_cannot_command_the_terminal(elman, model):
    config = Path(model, "config.json")
    config.write_text(config.read_text(encoding="utf-8").replace('"lines.csv"', r'"\u001b]0;title\u0007"'))
    out = elman("info", model).out
    assert "\x1b" not in out
    assert r"file: \x1b]0;title\x07" in out


def test_a_run_is_repeated_from_its_configuration_to_the_same_bits(elman, lines):
    words = ("--out", "m", "--validation", "0.3", "--no-bidirectional", "--seed", "5", "--cell", "gru", *QUICK)
    assert elman("train", "classify", lines, *words).code == 0
    assert "1 x 8 GRU units in one direction" in elman("info", "m").out
    done = elman("train", "--config", "m/config.json", "--out", "again", "--threads", "1")
    assert done.code == 0, done.err
    for name in ("model.safetensors", "metrics.json", "config.json"):
        assert Path("m", name).read_bytes() == Path("again", name).read_bytes()
    assert elman("train", "--config=m/config.json", "--out", "other", "--seed", "6", "--threads", "1").code == 0
    assert Path("m/model.safetensors").read_bytes() != Path("other/model.safetensors").read_bytes()


def test_a_configuration_that_no_command_made_is_refused(elman, lines):
    from tests.runtime.marked_models import VERSION_1

    done = elman("train", "--config", VERSION_1 / "config.json", "--out", "m")
    expected = "expected the configuration of a model that elman train made, got one without a run"
    assert (done.code, done.err) == (2, f"elman: {VERSION_1 / 'config.json'}: {expected}\n")
    done = elman("train", "--config", "none.json", "--out", "m")
    assert (done.code, done.err) == (2, "elman: none.json: expected a readable file, No such file or directory\n")


def test_data_that_changed_since_a_run_are_told_when_it_is_repeated(elman, lines):
    assert elman("train", "classify", lines, "--out", "m", *QUICK).code == 0
    with open(lines, "a", encoding="utf-8") as stream:
        stream.write("子曰,论语\n")
    done = elman("train", "--config", "m/config.json", "--out", "again")
    warning, reading = done.err.splitlines()
    assert done.code == 0
    assert warning.startswith("elman: warning: ")
    assert "is not what the run was made with" in warning
    assert reading.startswith("reading ")
    done = elman("train", "--config")
    assert (done.code, done.err) == (2, "elman: --config: expected the config.json of a model, got none\n")


def test_options_that_say_nothing_to_a_model_are_refused(elman, lines, model):
    done = elman("evaluate", model, lines, "--horizon", "3")
    assert (done.code, done.err) == (2, "elman: --horizon: expected none for a text classifier, got 3\n")


def test_a_file_may_have_any_name(elman, lines):
    name = os.fsdecode(b"b\xff.csv")
    os.rename(lines, name)
    assert elman("train", "classify", name, "--out", "m", *QUICK).code == 0
    assert json.loads(Path("m/config.json").read_text())["data"]["file"] == "b\\udcff.csv"


def test_a_terminal_of_few_characters_is_written_to(lines, model):
    for words in (("evaluate", model, lines), ("evaluate", model, lines, "--json"), ("info", model)):
        environment = os.environ | {"PYTHONIOENCODING": "ascii"}
        done = subprocess.run([*PROGRAM, *words], capture_output=True, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
