"""The C++ program in examples/cpp: the engine without Python, to the bits that Python prints.

It is linked with the engine that the installation of this checkout has compiled, where that is there and not older than
its sources; the slow test compiles all of it, as the example's README says.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import elman
from elman._safetensors import tensor_bytes
from tests.engine.compiler import COMPILER, ROOT, compiled_engine
from tests.runtime.networks import parameters as wide_parameters

FOLDER = ROOT / "examples" / "cpp"
STRICT = ("-Wall", "-Wextra", "-Wshadow", "-Wpedantic", "-Werror")
CMAKE = shutil.which("cmake") or shutil.which("cmake", path=Path(sys.executable).parent)  # else the dev extra's
LSTM = {"weight_hh_l0": np.zeros((12, 3), "float32")}
METADATA = {"format": "elman rnn", "version": "2", "cell": "tanh", "batch_first": "false"}
VERSION_1 = {"format": "elman rnn", "version": "1", "nonlinearity": "tanh", "batch_first": "false"}
GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}

pytestmark = pytest.mark.skipif(COMPILER is None or CMAKE is None, reason="needs CMake and a compiler")


def run(*command, stdin=b""):
    return subprocess.run(list(map(str, command)), input=stdin, capture_output=True, check=False)


def built(folder):
    options = [f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DELMAN_WARNINGS_AS_ERRORS=ON"]
    for command in (["-S", FOLDER, "-B", folder, *options], ["--build", folder, "-j", "2"]):
        made = run(CMAKE, *command)
        assert made.returncode == 0, (made.stdout + made.stderr).decode()
    return folder / "elman_step"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder, engine = tmp_path_factory.mktemp("cpp"), compiled_engine()
    if not engine:
        return built(folder)
    program, headers = folder / "elman_step", ROOT / "engine/include"
    made = run(
        COMPILER, "-std=c++20", "-O0", *STRICT, f"-I{headers}", FOLDER / "main.cpp", engine, "-pthread", "-o", program
    )
    assert made.returncode == 0, made.stderr.decode()
    return program


def parameters(layers=1, input_size=3, hidden_size=17, bias=True, dtype="float32", suffix="", cell="tanh"):
    draw = np.random.default_rng(0)
    arrays, rows = {}, GATES[cell] * hidden_size
    for layer in range(layers):
        reads = hidden_size if layer else input_size
        shapes = {"weight_ih": (rows, reads), "weight_hh": (rows, hidden_size)}
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
        for kind, shape in shapes.items():
            arrays[f"{kind}_l{layer}{suffix}"] = draw.normal(0, 0.3, shape).astype(dtype)
    return arrays


@pytest.fixture
def network(tmp_path):
    elman.save(parameters(), tmp_path / "rnn.safetensors")
    return tmp_path / "rnn.safetensors"


def refusal(program, path, series=b"1 2 3\n"):
    """The line in which a file or a series from standard input is refused."""
    finished = run(program, path, "-", stdin=series)
    assert finished.returncode == 2, finished
    assert finished.stderr.count(b"\n") == 1
    assert finished.stderr.startswith(b"elman_step: ")
    assert len(finished.stderr) < 300
    return finished.stderr.decode("ascii")[len("elman_step: ") : -1].replace(f"{path}: ", "")


@pytest.mark.parametrize(("cell", "layers"), [("tanh", 1), ("relu", 2), ("gru", 1), ("lstm", 2)])
def test_it_prints_the_bytes_that_python_prints(program, tmp_path, cell, layers):
    path, series = tmp_path / "rnn.safetensors", tmp_path / "series.txt"
    elman.save(parameters(layers, cell=cell), path, nonlinearity="relu" if cell == "relu" else None)
    steps = np.random.default_rng(1).normal(size=(50, 3))
    lines = [" ".join(map(repr, row)) for row in steps.tolist()]
    # rounded to double before float; subnormal; below the least of doubles; signs, dots, tabs and an open last line
    lines += ["1.00000005960464477540 1e-42 1e-999", "+.5\t-1.\r", "3.4028234e38 -3.4e38 -0", " 7E+0 1e-3  0"]
    lines[-3] += " 2"
    series.write_text("\n".join(lines), newline="")
    ours, theirs = run(program, path, series), run(sys.executable, FOLDER / "step.py", path, series)
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr) == (0, b"")
    assert ours.stdout == theirs.stdout
    assert ours.stdout.count(b"\n") == len(lines)
    assert run(program, path, "-", stdin=series.read_bytes()).stdout == ours.stdout


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("residual", [False, True])
def test_widths_learned_states_and_residual_connections_are_python_s(program, tmp_path, cell, residual):
    path = tmp_path / "rnn.safetensors"
    elman.save(wide_parameters(3, (5, 5, 17), cell=cell, learned=True), path, residual=residual)
    steps = np.random.default_rng(1).normal(size=(20, 3)).astype("float32")
    series = "\n".join(" ".join(map(repr, row)) for row in steps.tolist())
    printed = run(program, path, "-", stdin=series.encode()).stdout.decode()
    output, _ = elman.load(path)(steps)
    assert np.array_equal(np.array([line.split() for line in printed.splitlines()], "float32"), output)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_is_built_as_its_readme_says_and_prints_the_same(program, network, tmp_path):
    (tmp_path / "build").mkdir()
    printed = [run(each, network, "-", stdin=b"1 2 3\n4 5 6\n") for each in (program, built(tmp_path / "build"))]
    assert printed[0].stdout == printed[1].stdout
    assert printed[0].stdout.count(b"\n") == 2


@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_every_bit_shows(program, tmp_path, cell):
    path = tmp_path / "rnn.safetensors"
    elman.save(parameters(2, bias=False, cell=cell), path)
    steps = np.random.default_rng(1).normal(size=(50, 3)).astype("float32")
    series = "\n".join(" ".join(map(repr, row)) for row in steps.tolist())
    printed = run(program, path, "-", stdin=series.encode()).stdout.decode()
    output, _ = elman.load(path)(steps)
    assert np.array_equal(np.array([line.split() for line in printed.splitlines()], "float32"), output)


def test_the_readme_shows_what_is_printed(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    [python] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(python, {})
    series, printed = re.search(r"printf '(.*?)'", page)[1], re.search(r"```text\n(.*?)```", page, re.DOTALL)[1]
    stdin = series.replace("\\n", "\n").encode()
    assert run(program, "rnn.safetensors", "-", stdin=stdin).stdout.decode() == printed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2", "-, line 2: expected 3 numbers, got 2"),
        ("1 2 3 4", "-, line 2: expected 3 numbers, got 4"),
        ("", "-, line 2: expected 3 numbers, got 0"),
        ("1 2 x", "-, line 2: expected decimal numbers within float32, got 'x'"),
        ("1 2 3,5", "-, line 2: expected decimal numbers within float32, got '3,5'"),
        ("1 nan 3", "-, line 2: expected decimal numbers within float32, got 'nan'"),
        ("0x1 2 3", "-, line 2: expected decimal numbers within float32, got '0x1'"),
        ("1 2 3e", "-, line 2: expected decimal numbers within float32, got '3e'"),
        ("1 2 1e39", "-, line 2: expected decimal numbers within float32, got '1e39'"),
        ("1 2 \0\x1b", "-, line 2: expected decimal numbers within float32, got '??'"),
        pytest.param(
            "9" * 400, f"-, line 2: expected decimal numbers within float32, got '{'9' * 60}...'", id="a long word"
        ),
    ],
)
def test_a_line_that_is_no_step_is_refused_after_those_before_it(program, network, line, message):
    series = f"1 2 3\n{line}\n4 5 6\n".encode()
    assert refusal(program, network, series) == message
    ours = run(program, network, "-", stdin=series)
    theirs = run(sys.executable, FOLDER / "step.py", network, "-", stdin=series)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    ("arrays", "metadata", "message"),
    [
        (parameters(dtype="float64"), METADATA, "'bias_hh_l0': expected float32, which is F32, got 'F64'"),
        (
            parameters() | parameters(suffix="_reverse"),
            METADATA,
            "expected a network in one direction, got a bidirectional one, which begins at the last step",
        ),
        (parameters(hidden_size=12) | LSTM, METADATA, "weight_hh_l0: expected the shape (12, 12), got (12, 3)"),
        (parameters() | parameters(suffix="x"), METADATA, "'bias_hh_l0x': expected no tensor of this name"),
        ({"weight_ih_l0": np.zeros((2, 2), "f4")}, METADATA, "weight_hh_l0: expected this tensor, it is missing"),
        ({"w": np.zeros((2, 2), "f4")}, METADATA, "weight_ih_l0: expected this tensor, it is missing"),
        (
            {"weight_ih_l0": np.zeros((0, 2), "f4"), "weight_hh_l0": np.zeros((0, 0), "f4")},
            METADATA,
            "weight_ih_l0: expected the shape (hidden_size, input_size), got (0, 2)",
        ),
        (parameters(), None, "expected a network that elman.save wrote, got another file"),
        (parameters(), METADATA | {"version": "5"}, "version: expected '1', '2', '3' or '4', got '5'"),
        (parameters(), METADATA | {"version": "4"}, "program, byte 0: expected {, got its end"),
        (parameters(), METADATA | {"version": "3"}, "residual: expected 'true' or 'false', got ''"),
        (
            parameters() | {"weight_ih_l0": np.zeros((), "f4")},
            METADATA,
            "weight_ih_l0: expected the shape (hidden_size, input_size), got ()",
        ),
        (
            parameters(2) | {"weight_ih_l1": np.zeros((17, 3), "f4")},
            METADATA,
            "weight_ih_l1: expected the shape (hidden_size, 17), got (17, 3)",
        ),
        (parameters() | {"h_0_l0": np.zeros(16, "f4")}, METADATA, "h_0_l0: expected the shape (17), got (16)"),
        (parameters() | {"c_0_l0": np.zeros(17, "f4")}, METADATA, "'c_0_l0': expected no tensor of this name"),
        (
            parameters(cell="lstm") | {"h_0_l0": np.zeros(17, "f4")},
            METADATA | {"cell": "lstm"},
            "c_0_l0: expected this tensor, it is missing",
        ),
        (
            parameters(),
            METADATA | {"cell": "identity"},
            "cell: expected 'tanh', 'relu', 'gru' or 'lstm', got 'identity'",
        ),
        (parameters(), VERSION_1 | {"nonlinearity": "gru"}, "nonlinearity: expected 'tanh' or 'relu', got 'gru'"),
        (
            parameters(cell="lstm"),
            METADATA | {"cell": "gru"},
            "weight_ih_l0: expected the shape (3 * hidden_size, input_size), got (68, 3)",
        ),
        (
            parameters(hidden_size=18),
            METADATA | {"cell": "gru"},
            "weight_hh_l0: expected the shape (18, 6), got (18, 18)",
        ),
    ],
)
def test_a_file_of_another_network_is_refused(program, tmp_path, arrays, metadata, message):
    path = tmp_path / "rnn.safetensors"
    path.write_bytes(tensor_bytes(arrays, metadata))
    assert refusal(program, path) == message


def test_a_file_cut_short_anywhere_is_refused(program, network, tmp_path):
    content = network.read_bytes()
    cut = tmp_path / "cut"
    for size in [*range(0, 700, 7), len(content) - 4, len(content) - 1]:
        cut.write_bytes(content[:size])
        assert "expected " in refusal(program, cut)


def tensor(shape="[1]", offsets="[0,4]"):
    return f'{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}'


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "header, byte 0: expected {, got its end"),
        ("[]", "header, byte 0: expected {, got '['"),
        ('{"w":' + tensor(), "header, byte 53: expected }, got its end"),
        ('{"w":' + tensor() + "} x", "header, byte 55: expected the end, got 'x'"),
        ('{"w":' + tensor() + ',"w":' + tensor() + "}", "header: expected each name once, got 'w' twice"),
        ('{"w":' + tensor("[-1]") + "}", "header, byte 29: expected an integer from 0 to 2^64 - 1, got '-'"),
        ('{"w":' + tensor("[01]") + "}", "header, byte 29: expected an integer from 0 to 2^64 - 1, got '0'"),
        ('{"w":' + tensor(f"[{2**64}]") + "}", "header, byte 29: expected an integer from 0 to 2^64 - 1, got '1'"),
        ('{"w":' + tensor("[1.0]") + "}", "header, byte 30: expected ], got '.'"),
        ('{"w":' + tensor(f"[{2**62 + 1}]") + "}", "'w': expected a tensor that the file has room for"),
        ('{"w":' + tensor("[2]") + "}", "'w': expected a tensor that the file has room for"),
        ('{"w":' + tensor(offsets="[4,0]") + "}", "'w': expected data_offsets 4 bytes apart"),
        ('{"w":' + tensor(offsets="[4,8]") + "}", "expected tensors behind one another, got a gap or an overlap"),
        ('{"w":' + tensor() + ',"v":' + tensor() + "}", "expected tensors behind one another, got a gap or an overlap"),
        ('{"w":' + tensor("[0]", "[0,0]") + "}", "expected 0 bytes after the header, got 4"),
        ('{"w":' + tensor(offsets="[0]") + "}", "'w': expected dtype, shape and two data_offsets, one is missing"),
        ('{"w":{"shape":[1],"data_offsets":[0,4]}}', "'w': expected dtype, shape and two data_offsets, one is missing"),
        ('{"w":{"colour":1}}', "'w': expected dtype, shape and data_offsets, got 'colour'"),
        (
            '{"\x1b[31m":1}',
            "header, byte 2: expected a string without control characters and escapes but \\\", got '?'",
        ),
        (
            '{"\\u0077":1}',
            "header, byte 2: expected a string without control characters and escapes but \\\", got '\\'",
        ),
        pytest.param('{"w":' * 100_000, "'w': expected dtype, shape and data_offsets, got 'w'", id="deep"),
    ],
)
def test_a_header_that_is_not_sound_is_refused(program, tmp_path, header, message):
    path = tmp_path / "rnn.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    assert refusal(program, path) == message


@pytest.mark.parametrize("length", [5, 2**22 + 1, 2**32, 2**63, 2**64 - 8, 2**64 - 1])
def test_a_header_longer_than_the_file_is_refused(program, tmp_path, length):
    path = tmp_path / "rnn.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{}  ")
    assert refusal(program, path) == "expected a safetensors file, got one cut short or of another kind"


def test_files_that_are_not_there_are_refused(program, network, tmp_path):
    assert refusal(program, tmp_path / "none") == "expected a file, there is none"
    assert refusal(program, tmp_path) == "expected a file, there is none"
    for series in (tmp_path / "none", tmp_path):
        finished = run(program, network, series)
        expected = f"elman_step: {series}: expected a series that can be read\n"
        assert (finished.returncode, finished.stderr.decode()) == (2, expected)
    assert run(program).stderr == b"elman_step: expected two arguments: a safetensors file, and a series or -\n"


def test_a_file_of_version_1_is_read_as_one_of_today(program, tmp_path):
    printed = []
    for metadata in (VERSION_1, METADATA):
        (tmp_path / "rnn").write_bytes(tensor_bytes(parameters(), metadata))
        printed.append(run(program, tmp_path / "rnn", "-", stdin=b"1 2 3\n").stdout)
    assert printed[0] == printed[1] != b""
