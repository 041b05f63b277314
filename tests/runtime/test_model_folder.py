import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elman._safetensors import TensorFile, tensor_bytes
from elman.runtime._classifiers.text import TextClassifier
from elman.runtime._model_folder import EpochRecord, claim_folder, read_model, write_model
from tests.runtime.marked_models import FILES, VERSION_1
from tests.runtime.refusals import refusal

OTHER_KINDS = ("forecaster", "language_model", "sequence_classifier", "sequence_tagger")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(VERSION_1, tmp_path / "model"))


def test_version_1_is_read_for_good():
    model = read_model(VERSION_1)
    assert model.settings.classes == ["别", "论语", "诗经"]
    network, text = model.settings.network, model.settings.text
    assert (network.embedding_size, network.hidden_size, network.layers, network.bidirectional) == (4, 5, 2, True)
    assert (text.tokens, text.max_length, text.columns) == ("char", 512, {"text": "line", "label": "book"})
    assert model.origin.options["dropout"] == 0.4
    assert model.origin.data["training_by_class"] == {"别": 1, "论语": 18, "诗经": 18}
    assert model.origin.made_with["torch"] == "2.13.0+cpu"
    vocabulary = model.vocabularies["vocabulary"]
    assert len(vocabulary) == 202
    assert vocabulary.tokens[:8] == (
        "<padding>",
        "<unknown>",
        "<start>",
        "<end>",
        "。",
        "，",
        "子",
        "“",
    )
    assert model.metrics["epoch"] == 2
    scores = {"validation_loss": 1.0565088987350464, "validation_accuracy": 0.5}
    assert model.history[0] == EpochRecord(1, 1.1122839950226449, scores, 0.071)
    assert len(model.history) == 3


def test_the_tensors_of_version_1_are_the_file_s():
    tensors = read_model(VERSION_1).tensors
    assert len(tensors) == 19
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in tensors.values())
    assert tensors["rnn.weight_ih_l1_reverse"].shape == (5, 10)
    assert tensors["output.weight"].shape == (3, 30)
    data = (VERSION_1 / "model.safetensors").read_bytes()[-4724:]
    ordered = [tensors[name].tobytes() for name in sorted(tensors)]
    assert b"".join(ordered) == data


@pytest.mark.parametrize("name", [VERSION_1.name, *(f"{kind}_1" for kind in OTHER_KINDS)])
def test_what_is_written_is_what_version_1_wrote(tmp_path, name):
    stored, written = VERSION_1.parent / name, tmp_path / "model"
    written.mkdir()
    write_model(written, read_model(stored))
    assert {path.name for path in written.iterdir()} == {path.name for path in stored.iterdir()}
    for path in stored.iterdir():
        if path.name == "config.json":  # whose keys have no order; a series' times have said more since, cells less
            ours, theirs = (json.loads((folder / path.name).read_bytes()) for folder in (written, stored))
            theirs.get("network", {}).pop("nonlinearity", None)
            assert ours == theirs | {key: ours[key] for key in ("grid",) if key in theirs}
        else:
            assert (written / path.name).read_bytes() == path.read_bytes()


def test_figures_that_json_lacks_are_left_open(folder):
    model = read_model(folder)
    write_model(folder, replace(model, metrics={"loss": float("nan"), "other": 1.5}))
    assert read_model(folder).metrics == {"loss": None, "other": 1.5}


def test_a_prediction_needs_no_figures(folder):
    for name in ("metrics.json", "history.csv"):
        (folder / name).write_bytes(b"\xff")
    model = read_model(folder, figures=False)
    assert (len(model.tensors), model.metrics, model.history) == (19, {}, [])
    assert "metrics.json: expected UTF-8 text" in refusal(read_model, folder)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    assert refusal(read_model, tmp_path / "x") == f"{tmp_path / 'x'}: expected a model folder, got nothing of that name"
    assert refusal(read_model, tmp_path) == f"{tmp_path}: expected a model folder, got a folder without config.json"
    (tmp_path / "file").write_text("")
    assert refusal(read_model, tmp_path / "file") == f"{tmp_path / 'file'}: expected a model folder, got a file"
    (tmp_path / "checkpoint").mkdir()
    assert refusal(read_model, tmp_path).endswith("got an unfinished run (finish it with resume=True)")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_weights_that_are_no_numbers_are_warned_of(folder, value):
    tensors = read_model(folder).tensors
    tensors["output.bias"][1] = value
    (folder / "model.safetensors").write_bytes(tensor_bytes(tensors))
    with pytest.warns(RuntimeWarning, match=r"safetensors: output\.bias holds infinite weights or NaN") as caught:
        assert np.array_equal(read_model(folder).tensors["output.bias"], tensors["output.bias"], equal_nan=True)
    assert len(caught) == 1


def test_a_model_that_is_replaced_while_it_is_read_is_refused(folder, monkeypatch):
    model, load = read_model(folder), TensorFile.load

    def meanwhile(file):
        write_model(folder, replace(model, origin=replace(model.origin, options={"seed": 1})))
        return load(file)

    monkeypatch.setattr(TensorFile, "load", meanwhile)
    message = f"{folder}: expected a model that stays as it is, got another while it was read"
    assert refusal(read_model, folder) == message
    assert read_model(folder).origin.options == {"seed": 1}


def test_a_model_is_read_without_torch_and_msgspec():
    program = """
import sys
sys.modules.update(torch=None, msgspec=None)
from pathlib import Path
from elman.runtime._model_folder import read_model
print(len(read_model(Path(sys.argv[1])).tensors))
"""
    done = subprocess.run([sys.executable, "-c", program, VERSION_1], capture_output=True, text=True, check=True)
    assert done.stdout == "19\n"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_no_file_of_the_folder_s_own_is_refused(folder, name):
    path, outside = folder / name, folder.parent / "outside"
    path.rename(outside)
    if name == "config.json":
        assert refusal(read_model, folder) == f"{folder}: expected a model folder, got a folder without config.json"
    else:
        assert refusal(read_model, folder) == f"{path}: expected a readable file, No such file or directory"
    os.mkfifo(path)
    assert refusal(read_model, folder) == f"{path}: expected a file, got a named pipe"
    path.unlink()
    path.mkdir()
    assert refusal(read_model, folder) == f"{path}: expected a file, got a folder"
    path.rmdir()
    path.symlink_to("../outside")
    assert refusal(read_model, folder) == f"{path}: expected a file within {folder}, got a link that leads out of it"
    path.unlink()
    outside.rename(folder / "moved")
    path.symlink_to("moved")
    assert len(read_model(folder).tensors) == 19


def test_memory_is_not_taken_for_what_files_claim(folder):
    config = (folder / "config.json").read_bytes()
    claims = config.replace(b'"hidden_size": 5', b'"hidden_size": 1000000')
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}).encode()
    tracemalloc.start()
    try:
        (folder / "config.json").write_bytes(claims)
        assert "expected rnn.weight_ih_l0 of F32" in refusal(read_model, folder)
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
        os.truncate(folder / "model.safetensors", 8 + len(header) + 4 * 10**9)  # sparse
        assert "expected a tensor embedding.weight, got none" in refusal(read_model, folder)
        for name in ("vocabulary.txt", "config.json"):
            os.truncate(folder / name, 2**34)
            assert refusal(read_model, folder).startswith(f"{folder / name}: expected a file of at most")
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_a_folder_is_claimed_when_nothing_is_lost(folder, tmp_path):
    claim_folder(tmp_path / "new" / "model", TextClassifier, overwrite=False)
    assert (tmp_path / "new" / "model").is_dir()
    assert "holds a model already; choose another name or add overwrite=True" in refusal(
        claim_folder, folder, TextClassifier, overwrite=False
    )
    claim_folder(folder, TextClassifier, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    for _ in range(2):
        message = refusal(claim_folder, tmp_path / "mine", TextClassifier, overwrite=True)
        (tmp_path / "mine" / "model.safetensors").touch()
    assert message == f"{tmp_path}/mine/config.json: expected the format 'elman text classifier', got None"
