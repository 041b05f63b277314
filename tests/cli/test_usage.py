"""What a person meets before any command runs: help, the version, usage errors, absent packages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import elman.tasks
from elman.cli._app import build_parser
from tests.cli.conftest import MODELS, write_lines

OPTION = "expected one of the options that --help lists, got"
TASKS = "expected a command (classify, tag, language, forecast), got"
COMMANDS = "expected a command (train, evaluate, predict, generate, forecast, show, info, export, bench), got"
CLASSIFY = ("train", "classify", "x.csv", "--out", "m")

USAGE_ERRORS = {
    ("frobnicate",): f"elman: {COMMANDS} 'frobnicate'",
    ("evalute",): f"elman: {COMMANDS} 'evalute'; did you mean evaluate?",
    (
        "train",
        "clasify",
    ): "elman train: expected a command (classify, tag, language, forecast), got 'clasify'; did you mean classify?",
    ("train", "two\nlines"): rf"elman train: {TASKS} 'two\nlines'",
    ("--verson",): f"elman: {OPTION} '--verson'; did you mean --version?",
    ("--version=3",): "elman: --version: expected no value, got '3'",
    ("train", "classify"): "elman train classify: expected FILE and --out, got none",
    ("train", "classify", "x.csv"): "elman train classify: expected --out, got none",
    ("train", "classify", "x.csv", "--out"): "elman train classify: --out: expected a value, got none",
    ("train", "classify", "x.csv", "--ou", "m"): f"elman train classify: {OPTION} '--ou'; did you mean --out?",
    (*CLASSIFY, "--hidden", "8"): f"elman train classify: {OPTION} '--hidden'; did you mean --hidden-size?",
    (*CLASSIFY, "--hidden-size", "x"): "elman train classify: --hidden-size: expected an integer, got 'x'",
    (*CLASSIFY, "--hidden-size=1.5"): "elman train classify: --hidden-size: expected an integer, got '1.5'",
    (*CLASSIFY, "--dropout", "x"): "elman train classify: --dropout: expected a number, got 'x'",
    (*CLASSIFY, "--resume=yes"): "elman train classify: --resume: expected no value, got 'yes'",
    ("evaluate", "m"): "elman evaluate: expected FILE, got none",
    ("predict", "m", "-x"): f"elman predict: {OPTION} '-x'",
    ("info", "m", "n"): "elman info: expected no more arguments, got 'n'",
    ("generate", "m", "two words"): "elman generate: expected no more arguments, got 'two words'; what to go on with "
    "follows --prompt",
    ("export", "m"): "elman export: expected OUT.onnx, got none",
}


@pytest.mark.parametrize("words", USAGE_ERRORS, ids=" ".join)
def test_usage_errors_say_in_one_line_what_was_expected_and_what_came(elman, words):
    done = elman(*words)
    assert (done.code, done.out, done.err) == (2, "", f"{USAGE_ERRORS[words]}\n")


EVERY_HELP = (
    (),
    ("train",),
    ("train", "classify"),
    ("evaluate",),
    ("predict",),
    ("show",),
    ("info",),
    ("export",),
    ("bench",),
)


@pytest.mark.parametrize("command", EVERY_HELP, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_the_terminal(elman, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    done = elman(*command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(('elman', *command))} ")
    assert max(map(len, done.out.splitlines())) < columns
    assert not re.search(r"  Of |  How many ", done.out)  # what a line says stands without the option's name
    assert elman(*command, "-h").out == done.out


def test_help_shows_what_may_be_left_out_and_no_empty_default(elman, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert elman("forecast", "--help").out.startswith("Usage: elman forecast MODEL [FILE] [OPTIONS]\n")
    for command in ("train classify", "train tag", "train language", "train forecast", "evaluate", "predict",
                    "generate", "forecast", "info", "export", "bench"):  # fmt: skip
        out = elman(*command.split(), "--help").out
        assert "(default: )" not in out
        assert "None" not in out


def test_help_shows_groups_and_defaults(elman, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = elman("train", "classify", "--help").out
    assert re.findall(r"^(\w+):$", out, re.MULTILINE) == [
        "Arguments", "Options", "Data", "Texts", "Numbers", "Network", "Training", "Running",
    ]  # fmt: skip
    for line in (
        "  --layers N                  Recurrent layers (default: 1)",
        "                              (default: bidirectional)",
        "  --seed N                    Seed of everything drawn at random (default: 0)",
        "  --resume                    Go on with a stopped run, or begin it",
    ):
        assert line in out.splitlines()
    assert "None" not in out


@pytest.mark.parametrize("task", ["classify", "tag", "language", "forecast"])
def test_help_shows_the_default_of_every_option_of_an_estimator(elman, monkeypatch, task):
    monkeypatch.setenv("COLUMNS", "80")
    out = elman("train", task, "--help").out
    network = out.partition("\nNetwork:\n")[2].partition("\nRunning:\n")[0]
    options = re.split(r"\n  (?=--)", network)
    assert len(options) >= 9
    assert all(re.search(r"\(default:\s\S", option) and "None" not in option for option in options)


@pytest.mark.parametrize("words", [(), ("train",)])
def test_no_command_is_answered_with_help(elman, words):
    done = elman(*words)
    assert (done.code, done.out, done.err) == (2, elman(*words, "--help").out, "")


def test_values_as_they_are_without_options():
    options = vars(build_parser().parse_args(CLASSIFY))
    others = ("command", "task", "run", "needs", "config")
    assert {name: value for name, value in options.items() if name not in others} == {
        "file": Path("x.csv"), "out": Path("m"), "text": "text", "label": "label", "encoding": "utf-8",
        "validation": 0.1, "tokens": None, "max_length": 512, "cell": "rnn", "hidden_size": 128, "embedding_size": 128,
        "layers": 1, "bidirectional": True, "dropout": 0.4, "engine": "elman", "learning_rate": 0.003,
        "epochs": None, "batch_size": None, "seed": 0, "threads": None, "resume": False, "overwrite": False,
        "sequence": None, "time": None, "channel": None, "frame_size": None, "dates": None, "decimal": None,
        "plot": None, "verbose": False,
        "ngram": None,
    }  # fmt: skip
    assert build_parser().parse_args([*CLASSIFY, "--no-bidirectional"]).bidirectional is False


def test_values_that_begin_with_a_dash():
    assert build_parser().parse_args([*CLASSIFY, "--epochs", "-3"]).epochs == -3
    assert build_parser().parse_args([*CLASSIFY, "--dropout", "-.5"]).dropout == -0.5
    assert build_parser().parse_args([*CLASSIFY, "--text=--text"]).text == "--text"
    assert build_parser().parse_args(["predict", "m", "-"]).file == "-"
    assert build_parser().parse_args(["predict", "m", "--", "-x.txt"]).file == "-x.txt"


def test_help_and_version_import_nothing_optional():
    code = (
        "import sys, elman.cli as c; "
        "c.main(['--help']); c.main(['train', 'classify', '--help']); c.main(['--version']); "
        "print(*{'torch', 'sklearn', 'rich', 'accelerate', 'msgspec', 'onnx'} & {*sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--hidden-size" in done.stdout
    assert re.search(r"^elman \d", done.stdout, re.MULTILINE)
    assert done.stderr == "\n"


def test_a_file_of_no_use_is_refused_before_anything_that_takes_long_is_imported(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    code = (
        "import sys, elman.cli as c; "
        "c.main(['train', 'classify', 'x.csv', '--out', 'm', '--epochs', '0']); "
        "[c.main(['train', task, 'none.csv', '--out', 'm']) for task in ('classify', 'tag', 'language', 'forecast')]; "
        "c.main(['train', 'classify', 'x.csv', '--out', 'm']); "
        "print(*{'torch', 'sklearn', 'scipy', 'accelerate'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "\n"
    assert [line.partition(": expected")[0] for line in done.stderr.splitlines()] == [
        "elman: --epochs", *["elman: none.csv"] * 4, "elman: x.csv, line 1"
    ]  # fmt: skip


def test_training_says_what_it_read_before_pytorch_is_imported(tmp_path):
    write_lines(tmp_path / "lines.csv")
    code = (
        "import sys, elman.cli as c; "
        "from elman.tasks._screen import Lines; "
        "Lines.notice = lambda self, text: sys.exit(f'{text} {sys.modules.keys() & {\"torch\"}}'); "
        "c.main(['train', 'classify', 'lines.csv', '--out', 'm'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    first, second = done.stderr.splitlines()
    assert first == "reading lines.csv, then loading PyTorch"
    assert second.startswith("36 texts to train on")
    assert second.endswith("set()")


def test_on_a_terminal_what_is_read_is_said_before_it_is(elman, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = elman("train", "classify", "none.ts", "--tokens", "char", "--out", "m")
    assert done.err.startswith("elman: ")  # options first
    done = elman("train", "language", "none.txt", "--out", "m")
    assert done.err.splitlines() == [
        "reading none.txt, then loading PyTorch", "elman: none.txt: expected a file, there is none of that name"
    ]  # fmt: skip


def test_help_to_a_closed_pipe_and_a_full_disk():
    command = f"{sys.executable} -m elman --help"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    full = subprocess.run(["bash", "-c", f"{command} > /dev/full"], capture_output=True, text=True, check=False)
    assert full.returncode == 2
    assert full.stderr == "elman: expected output that can be written, got: No space left on device\n"


@pytest.mark.parametrize("package", ["torch", "scikit-learn", "rich", "accelerate", "msgspec"])
def test_an_absent_package_is_named_with_its_extra(elman, monkeypatch, package):
    monkeypatch.setitem(sys.modules, {"scikit-learn": "sklearn"}.get(package, package), None)
    done = elman(*CLASSIFY)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert re.fullmatch(rf"elman: train needs {package}: pip install .*\[train]'?\n", done.err)


def test_export_needs_its_package_once_the_model_is_known_to_be_one(elman, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert (
        elman("export", "m", "m.onnx").err == "elman: m: expected a file or a model folder, got nothing of that name\n"
    )
    done = elman("export", MODELS / "language_model_1", "m.onnx")
    assert (done.code, done.err.count("\n")) == (2, 1)
    done = elman("export", MODELS / "version_1", "m.onnx")
    assert (done.code, done.out) == (1, "")
    assert re.fullmatch(r"elman: writing ONNX needs onnx: pip install .*\[onnx]'?\n", done.err)


def test_export_says_what_it_wrote_as_other_commands_do(elman):
    done = elman("export", MODELS / "version_1", "m.onnx")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"m\.onnx: \d+\.\d kB, for ONNX Runtime\n", done.out)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "raise OSError('libcudnn.so.9: cannot open\\nshared object file')",
            "OSError: libcudnn.so.9: cannot open shared",
        ),
        ("import sys\nsys.no_such_name", "AttributeError: module 'sys' has no attribute 'no_such_name'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_with_the_cause(elman, monkeypatch, tmp_path, content, cause):
    (tmp_path / "broken_package.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("elman.cli._info.info", lambda options: __import__("broken_package"))
    done = elman("info", "m")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith(f"elman: broken_package cannot be imported: {cause}")


def test_an_absent_module_is_named_and_other_errors_are_not_hidden(elman, monkeypatch):
    monkeypatch.setattr("elman.cli._info.info", lambda options: __import__("no_such_module"))
    done = elman("info", "m")
    assert (done.code, done.err) == (1, "elman: No module named 'no_such_module'\n")
    monkeypatch.setattr("elman.cli._info.info", lambda options: [].pop())
    with pytest.raises(IndexError):
        elman("info", "m")


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_export_hands_on_what_it_was_told(monkeypatch, tmp_path, more):
    told, out = [], tmp_path / "m.onnx"
    out.touch()
    monkeypatch.setattr("elman.runtime.export", lambda *given, **named: told.append((given, named)), raising=False)
    options = build_parser().parse_args(["export", "model", str(out), *more])
    assert options.run(options) is None
    assert told == [((Path("model"), out), {"overwrite": bool(more)})]


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        ("classify", "TextClassifier"),
        ("classify", "SequenceClassifier"),
        ("tag", "SequenceTagger"),
        ("language", "LanguageModel"),
        ("forecast", "Forecaster"),
    ],
)
def test_defaults_are_those_of_python(task, estimator):
    options = vars(build_parser().parse_args(["train", task, "x", "--out", "m"]))
    defaults = getattr(elman.tasks, estimator)().get_params()
    both = options.keys() & defaults.keys()
    assert len(both) > 8
    assert {name: options[name] for name in both} == {name: defaults[name] for name in both}


def test_long_lines_break_between_words_on_a_terminal_alone(monkeypatch):
    from elman.cli._wording import wrapped

    line = f"  network: {'two words ' * 12}".rstrip()
    assert wrapped(line, indent="    ") == line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped(line, indent="    ").split("\n")
    assert (max(map(len, lines)) <= 40, lines[0][:11], {each[:4] for each in lines[1:]}) == (
        True,
        "  network: ",
        {"    "},
    )
    assert " ".join(" ".join(lines).split()) == " ".join(line.split())
