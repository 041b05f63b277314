"""Reading sentences with tags: each kind of file, and each kind of bad input."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman._errors import InputError
from elman.tasks._tagger.files import read_sentences, tagged_format
from tests.runtime.refusals import refusal

CONLLU = """\
# sent_id = 1
# text = Él vámonos
1\tÉl\tél\tPRON\tPP\t_\t2\tnsubj\t_\t_
2-3\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
2\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2.1\tx\tx\tNOUN\tN\t_\t_\t_\t_\t_
3\tnos\tnosotros\tPRON\tPP\t_\t2\tobj\t_\t_

# newpar
1\t#\t#\tSYM\tF\t_\t0\troot\t_\t_
"""


def read(path, **options):
    return [(sentence.tokens, sentence.tags) for sentence in read_sentences(path, **options)]


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, content):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


@pytest.mark.parametrize("name", ["x.conll", "x.txt", "x.bio", "x.iob2", "x.tsv"])
def test_columns_between_spaces_or_tabs(written, name):
    content = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\r\n\n\n. . O O\n"
    expected = [(["EU", "rejects"], ["B-ORG", "O"]), (["."], ["O"])]
    assert read(written(name, content)) == expected
    assert read(written(name, content.replace(" ", "\t").replace("\n", "\r\n"))) == expected
    assert read(name, tag="2") == [(["EU", "rejects"], ["NNP", "VBZ"]), (["."], ["."])]
    assert read(name, token="-2", tagged=False) == [(["B-NP", "B-VP"], []), (["O"], [])]


def test_columns_that_have_names(written):
    assert read(written("x.tsv", "word\tner\nin\tO\nNew York\tU-city\n"), token="word", tag="ner") == [
        (["in", "New York"], ["O", "U-city"])
    ]


def test_comments_are_told_from_tokens(written):
    assert read(written("x.iob2", "# text = C #\nC O\n# O\n\n# O\nis O\n")) == [
        (["C", "#"], ["O", "O"]),
        (["#", "is"], ["O", "O"]),
    ]


@pytest.mark.parametrize("between", [" ", "\t"])
@pytest.mark.parametrize("first", ["#newparents", "#E=mc²", "#nowplaying=", "#1=best", "#newdoc", "#", "##", "#text="])
def test_a_token_may_begin_as_comments_do(written, first, between):
    lines = [f"{first}{between}B-TAG", f"love{between}O", "", f"{first}{between}B-TAG", ""]
    expected = [([first, "love"], ["B-TAG", "O"]), ([first], ["B-TAG"])]
    for name in ("x.tsv", "x.conll"):
        assert read(written(name, "\n".join(["-DOCSTART- O", "", *lines]))) == expected
        assert read(name, tagged=False) == [(tokens, []) for tokens, _ in expected]


def test_all_tokens_may_begin_with_a_hash(written):
    assert read(written("x.tsv", "#a\tB-X\n#b\tO\n\n#c\tO\n")) == [(["#a", "#b"], ["B-X", "O"]), (["#c"], ["O"])]
    assert read(written("x.conll", "# id = 1\n#a B-X\n\n# newdoc\n#c O\n")) == [(["#a"], ["B-X"]), (["#c"], ["O"])]


@pytest.mark.parametrize("columns", [2, 3, 4])
@pytest.mark.parametrize("between", [" ", "\t"])
@pytest.mark.parametrize(
    "comment",
    ["# text = #a b", "# sent_id = 1", "#sent_id = 1", "# newdoc", "# newpar id = x", "#", "# a long remark"],
)
def test_comments_stay_comments(written, comment, between, columns):
    if (between, columns) == (" ", 4) and comment == "# a long remark":
        return  # as many columns as a token has
    line = between.join(["#a", *["_"] * (columns - 2), "O"])
    assert read(written("x.conll", f"{comment}\n{line}\n\n{comment}\n{line}\n")) == [(["#a"], ["O"])] * 2


@pytest.mark.parametrize("header", ["token tag", "Word NER", "#word label", "TOKEN POS", "# made by hand\nword tag"])
def test_a_header_that_nobody_asked_for_is_no_token(written, header):
    notices = []
    path = written("x.conll", f"{header}\nRome B-city\n\nword tag\n")
    (first, second) = read_sentences(path, notice=notices.append)
    assert (first.tokens, second.tokens) == (["Rome"], ["word"])
    line = header.count("\n") + 1
    assert notices == [f"x.conll, line {line} names the columns and is taken for no token"]


@pytest.mark.parametrize("text", ["a O\rb O\r\rc O\r", "a O\r\nb O\rc O\r\n"])
def test_lines_that_end_in_a_carriage_return_alone_are_refused(written, text):
    with pytest.raises(
        InputError, match=r"^x\.conll, line [12]: expected lines that end in \\n or \\r\\n, got \\r within"
    ):
        read(written("x.conll", text))


def test_a_first_line_that_is_no_header_is_a_token(written):
    assert read(written("x.conll", "word O\nis O\n")) == [(["word", "is"], ["O", "O"])]


@pytest.mark.parametrize("wrong", ["x", "", "2 ", " 2", "1a", "_", "-1", "1-", "1.", "1-2-3", "٣", "²", "1,5"])
def test_a_line_of_conllu_without_an_id_is_refused(written, wrong):
    path = written("x.conllu", f"{ROW}\n{ROW.replace('1', wrong, 1)}\n")
    expected = f"x.conllu, line 2: expected an ID such as 3, 3-4 or 3.1, got {wrong!r}"
    assert refusal(lambda: list(read_sentences(path))) == expected


def test_conllu(written):
    path = written("x.conllu", CONLLU)
    assert read(path) == [(["Él", "vamos", "nos"], ["PRON", "VERB", "PRON"]), (["#"], ["SYM"])]
    assert read(path, token="LEMMA", tag="XPOS")[0] == (["él", "ir", "nosotros"], ["PP", "V", "PP"])
    assert [sentence.lines for sentence in read_sentences(path)] == [[3, 5, 7], [10]]


def test_json_lines(written):
    records = [{"tokens": ["a", "b c"], "tags": ["O", "X"]}, {"tokens": ["d"], "tags": ["O"], "id": 3}]
    path = written("x.jsonl", "\n".join(map(json.dumps, records)) + "\n\n")
    assert read(path) == [(["a", "b c"], ["O", "X"]), (["d"], ["O"])]
    assert [sentence.place(0) for sentence in read_sentences(path)] == ["line 1, token 1", "line 2"]
    assert read(written("y.jsonl", '{"w": ["a"]}'), token="w", tagged=False) == [(["a"], [])]


def test_other_encodings(written):
    assert read(written("x.conll", "é O\n".encode("latin-1")), encoding="latin-1") == [(["é"], ["O"])]
    assert read(written("x.conll", "\ufeff我 O\n".encode())) == [(["我"], ["O"])]


ROW = "1\tÉl\tél\tPRON\tPP\t_\t2\tnsubj\t_\t_"
BAD = {
    "empty": ("x.conll", b"", {}, "x.conll: expected sentences, there are none"),
    "blank": ("x.conll", b"\n \n-DOCSTART- O\n", {}, "x.conll: expected sentences, there are none"),
    "suffix": (
        "x.csv",
        b"",
        {},
        "x.csv: expected columns (.conll, .txt, .tsv, …), .conllu, .jsonl, .ndjson, got .csv",
    ),
    "one column": (
        "x.conll",
        b"EU\n",
        {},
        "x.conll, line 1: expected a column of tokens and one of tags, between spaces or tabs, "
        "got column 1 of 1 for both",
    ),
    "ragged": ("x.conll", b"EU O\n\nof x O\n", {}, "x.conll, line 3: expected 2 columns as on line 1, got 3"),
    "empty token": ("x.tsv", b"a\tO\n\tO\n", {}, "x.tsv, line 2, column 1: expected a token, got an empty field"),
    "empty tag": ("x.tsv", b"a\tO\nb\t\n", {}, "x.tsv, line 2, column 2: expected a tag, got an empty field"),
    "no such column": ("x.conll", b"a O\n", {"tag": "3"}, "x.conll, line 1: expected a column 3, got 2 columns"),
    "no such name": (
        "x.tsv",
        b"word\ttag\na\tO\n",
        {"tag": "ner"},
        "x.tsv, line 1: expected a column 'ner', the columns are 'word', 'tag'",
    ),
    "the same column": ("x.tsv", b"", {"token": "2", "tag": "2"}, "x.tsv: expected two columns, got '2' for both"),
    "conllu ragged": ("x.conllu", b"1\ta\tO\n", {}, "x.conllu, line 1: expected 10 columns, got 3"),
    "conllu unknown column": (
        "x.conllu",
        ROW.encode(),
        {"tag": "POS"},
        "x.conllu, line 1: expected a column 'POS', the columns are 'ID', 'FORM', 'LEMMA', 'UPOS', 'XPOS', 'FEATS'",
    ),
    "conllu without tags": (
        "x.conllu",
        ROW.replace("PRON", "_").encode(),
        {},
        "x.conllu, line 1, column 4: expected a tag, got _",
    ),
    "bad byte": ("x.conll", b"a O\n\xe9 O\n", {}, "x.conll, line 2: expected utf-8 text, got an invalid byte"),
    "nul": ("x.conll", b"a\0 O\n", {}, "x.conll, line 1: expected text, got a NUL byte (byte 2 of the file)"),
    "json": ("x.jsonl", b'{"tokens": [}', {}, "x.jsonl, line 1: expected JSON, got: Expecting value: line 1 column 13"),
    "json list": ("x.jsonl", b"[]", {}, "x.jsonl, line 1: expected a JSON object, got list"),
    "json key": (
        "x.jsonl",
        b'{"tokens": ["a"]}',
        {},
        "x.jsonl, line 1: expected a key 'tags', the keys are 'tokens'; label names another",
    ),
    "json type": (
        "x.jsonl",
        b'{"tokens": ["a", 3], "tags": ["O", "O"]}',
        {},
        "x.jsonl, line 1: expected tokens[1] to be a string, got 3",
    ),
    "json lengths": (
        "x.jsonl",
        b'\n{"tokens": ["a", "b"], "tags": ["O"]}',
        {},
        "x.jsonl, line 2, key 'tags': expected 2, as there are tokens, got 1",
    ),
    "json empty": (
        "x.jsonl",
        b'{"tokens": [], "tags": []}',
        {},
        "x.jsonl, line 1, key 'tokens': expected strings, got an empty list",
    ),
    "json blank": (
        "x.jsonl",
        b'{"tokens": ["a", " "], "tags": ["O", "O"]}',
        {},
        "x.jsonl, line 1, key 'tokens': expected strings, got an empty one",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said_with_its_line(written, case):
    name, content, options, message = BAD[case]
    written(name, content)
    assert refusal(read, name, **options).startswith(message)


def test_no_such_file():
    assert refusal(read, "none.conll") == "none.conll: expected a file, there is none of that name"
    assert tagged_format("A.CONLLU") == "conllu"


tokens = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=5)
sentences = st.lists(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=5), min_size=1, max_size=5)


@settings(max_examples=50)
@given(sentences, st.sampled_from([" ", "\t", "json"]))
def test_what_is_written_is_read_back(tmp_path_factory, given_sentences, separator):
    given_sentences = [[("x", "O"), *sentence] for sentence in given_sentences]  # no comment, no -DOCSTART-
    given_sentences = [[pair for pair in sentence if "-DOC" not in pair[0]] for sentence in given_sentences]
    path = tmp_path_factory.getbasetemp() / ("x.jsonl" if separator == "json" else "x.conll")
    expected = [tuple(map(list, zip(*sentence, strict=True))) for sentence in given_sentences]
    if separator == "json":
        lines = [json.dumps({"tokens": tokens, "tags": tags}) for tokens, tags in expected]
    else:
        lines = ["\n".join(f"{token}{separator}{tag}" for token, tag in each) + "\n" for each in given_sentences]
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    assert read(path) == expected


@pytest.mark.parametrize(
    ("content", "options", "tokens"),
    [
        ("#\thttp://a.de [2009-10-17]\n1\tIn\tO\tO\n2\tBerlin\tB-LOC\tO\n", ("2", "3"), ["In", "Berlin"]),
        ("# id 52-a\tdomain=de\nin _ _ O\nBerlin _ _ B-LOC\n\n# id 52-b\tdomain=de\nja _ _ O\n", (), ["in", "Berlin"]),
        ("# O\nBerlin B-LOC\n", (), ["#", "Berlin"]),
        ("#rom O\nBerlin B-LOC\n", (), ["#rom", "Berlin"]),
    ],
)
def test_lines_about_a_sentence_are_told_from_tokens(tmp_path, content, options, tokens):
    (tmp_path / "esp.train").write_text(content)
    assert next(read_sentences(tmp_path / "esp.train", *options)).tokens == tokens


def test_a_header_is_one_with_and_without_tags(tmp_path):
    (tmp_path / "x.tsv").write_text("word\tpos\tner\nin\tP\tO\nBerlin\tN\tB-LOC\n")
    for tagged in (True, False):
        [sentence] = read_sentences(tmp_path / "x.tsv", None, "ner", tagged=tagged)
        assert sentence.tokens == ["in", "Berlin"]
