import csv
import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman._errors import InputError
from elman.tasks._classifiers.text_file import read_examples
from elman.tasks._reading import file_format, plain_lines, read_table

# What a text file can hold: no NUL, no half of a surrogate pair.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
tables = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


def rows(content, kind="csv", columns=("text", "label"), encoding="utf-8"):
    raw = content if isinstance(content, bytes) else content.encode(encoding)
    found = read_table(io.BytesIO(raw), f"x.{kind}", kind, columns, encoding)
    return [tuple(row.values[column] for column in columns) for row in found]


def refusal(content, kind="csv", **options):
    with pytest.raises(InputError) as caught:
        rows(content, kind, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@given(tables, st.sampled_from(["excel", "excel-tab"]), st.sampled_from(["\n", "\r\n"]))
def test_any_texts_come_back_from_csv_and_tsv(table, dialect, end):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, dialect, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *table])
    assert rows(stream.getvalue(), "csv" if dialect == "excel" else "tsv") == table


@given(tables, st.booleans())
def test_any_texts_come_back_from_json_lines(table, ascii_only):
    lines = [json.dumps({"text": t, "label": s}, ensure_ascii=ascii_only) + "\n" for t, s in table]
    assert rows("".join(lines), "jsonl") == table


@given(st.binary(max_size=60), st.sampled_from(["csv", "tsv", "jsonl"]))
def test_any_bytes_are_read_or_refused(raw, kind):
    with suppress(InputError):
        rows(raw, kind)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding):
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    raw = "text,label\r\n我爱你,诗\r\n".encode(encoding)
    found = read_table(io.BytesIO(raw), "x.csv", "csv", ("text", "label"), name)
    assert [dict(row.values) for row in found] == [{"text": "我爱你", "label": "诗"}]


def test_columns_may_stand_in_any_order_and_lines_may_be_blank():
    assert rows("label , id, text\n\nyes,1,good\n") == [("good", "yes")]


def test_rows_know_the_line_they_start_on():
    raw = b'text,label\n"a\nb",x\nc,y\n'
    assert [row.line for row in read_table(io.BytesIO(raw), "x.csv", "csv", ("text",))] == [2, 4]


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    assert rows('{"text": "a\\ud800", "label": 1}', "jsonl") == [("a\ufffd", "1")]


def test_plain_lines_keep_their_order_and_empty_ones():
    assert list(plain_lines(io.BytesIO(b"a\r\n\nb"), "x")) == ["a", "", "b"]


REFUSALS = {
    "empty": (b"", "csv", "x.csv: expected a header and rows, the file is empty"),
    "empty json": (b"", "jsonl", "x.jsonl: expected rows, there are none"),
    "header only": (b"text,label\n", "csv", "x.csv: expected rows after the header, there are none"),
    "missing column": (
        b"review,label\na,b\n",
        "csv",
        "x.csv, line 1: expected a column 'text', the columns are 'review', 'label'",
    ),
    "duplicate": (b"text,text,label\n", "csv", "x.csv, line 1: expected one column 'text', got 2"),
    "ragged": (
        b"text,label\na,b\na,b,c\n",
        "csv",
        "x.csv, line 3: expected 2 fields (text, label), got 3; a text with a comma in it stands in double quotes",
    ),
    "short": (b"text\tlabel\na\n", "tsv", "x.tsv, line 2: expected 2 fields (text, label), got 1"),
    "open quote": (b'text,label\n"a,b\n', "csv", "x.csv, line 2: expected CSV, got: unexpected end of data"),
    "nul": (
        b"text,label\na,b\na\0,b\n",
        "csv",
        "x.csv, line 3: expected text, got a NUL byte (byte 17 of the file)",
    ),
    "bad byte": (
        b"text,label\nab\xff,b\n",
        "csv",
        "x.csv, line 2: expected utf-8 text, got an invalid byte (byte 14 of the file, 0xff); "
        "if it is in another encoding, name it with encoding",
    ),
    "gbk": (
        "text,label\n质量还不错，内容很好,好\n".encode("gbk"),
        "csv",
        "x.csv, line 2: expected utf-8 text, got an invalid byte (byte 12 of the file, 0xd6); "
        "the file looks like GBK: add encoding='gbk'",
    ),
    "latin": (
        "text,label\nGröße,é\n".encode("cp1252"),
        "csv",
        "x.csv, line 2: expected utf-8 text, got an invalid byte (byte 14 of the file, 0xf6); "
        "the file looks like Windows-1252 (Western European): add encoding='cp1252'",
    ),
    "workbook": (
        b"PK\x03\x04\x14\0\x06\0",
        "csv",
        "x.csv: expected utf-8 text, got a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV "
        "(in Excel: File, Save As, CSV UTF-8; in LibreOffice: File, Save As, Text CSV)",
    ),
    "no json": (
        b'{"text": "a", "label": "b"}\n{"text"}\n',
        "jsonl",
        "x.jsonl, line 2, column 8: Expecting ':' delimiter (expected a JSON object)",
    ),
    "json list": (b"[1]\n", "jsonl", "x.jsonl, line 1: expected a JSON object, got list"),
    "missing key": (
        b'{"text": "a"}\n',
        "jsonl",
        "x.jsonl, line 1: expected a key 'label', the keys are 'text'",
    ),
    "json null": (
        b'{"text": null, "label": "b"}\n',
        "jsonl",
        "x.jsonl, line 1, key 'text': expected a text, got null",
    ),
    "long integer": (b'{"text": ' + b"9" * 5000 + b"}", "jsonl", "x.jsonl, line 1: (expected a JSON object)"),
    "header of lines": (
        b'text,label,"a\nb\x1b"\na,b\n',
        "csv",
        r"x.csv, line 3: expected 3 fields (text, label, 'a\nb\x1b'), got 2",
    ),
    "header of many": (
        b"a," * 9999 + b"b\n",
        "csv",
        "x.csv, line 1: expected a column 'text', the columns are 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', …",
    ),
    "long key": (
        b'{"text": "a", "' + b"x" * 9999 + b'": 1}',
        "jsonl",
        "x.jsonl, line 1: expected a key 'label', the keys are 'text', 'xxxxxxxxxxxx...xxxxxxxxxxxxx'",
    ),
    "tab after a quote": (
        b'text\tlabel\n"a"b\tc\n',
        "tsv",
        "x.tsv, line 2: expected TSV, got: 'a tab' expected after '\"'",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    content, kind, message = REFUSALS[name]
    assert refusal(content, kind) == message


@pytest.mark.parametrize("encoding", ["klingon", "base64", "idna", "punycode", "unicode_escape", "undefined", "\0"])
def test_an_unknown_encoding_is_refused(encoding):
    message = f"encoding: expected a name such as utf-8, gb18030 or latin-1, got {encoding!r}"
    with pytest.raises(InputError) as caught:
        list(read_table(io.BytesIO(b"text\na\n"), "x.csv", "csv", ("text",), encoding))
    assert str(caught.value) == message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "utf-7"])
def test_a_line_ends_where_it_does_in_any_encoding(encoding):
    lines = ["a\u2028b", "c\x0bd\x0c", "\x1ce\x85"]  # all of which str.splitlines would part
    assert list(plain_lines(io.BytesIO("\n".join(lines).encode(encoding)), "x", encoding)) == lines
    table = "text,label\n" + "".join(f"{line},x\n" for line in lines)
    assert rows(table, encoding=encoding) == [(line, "x") for line in lines]


def test_a_nul_is_refused_in_any_encoding():
    said = {encoding: refusal("text,label\na\0,b\n", encoding=encoding) for encoding in ("utf-8", "utf-16", "utf-7")}
    assert said == {
        "utf-8": "x.csv, line 2: expected text, got a NUL byte (byte 13 of the file)",
        "utf-16": "x.csv, line 2: expected text, got a NUL character",
        "utf-7": "x.csv, line 2: expected text, got a NUL character",
    }


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_recognised(encoding):
    said = refusal("text,label\na,b\n".encode(encoding))
    assert said.endswith(f"; the file looks like UTF-16 without its mark: add encoding='{encoding}'")


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("b.doc", ""),
        ("b.xlsx", "in Excel: File, Save As, CSV UTF-8; in LibreOffice: File, Save As, Text CSV)"),
        ("b.csv.gz", "; unpack it first: gunzip -k b.csv.gz"),
        ("b.json", "; write an object a line, as with jq: jq -c '.[]' b.json > b.jsonl"),
        ("b.parquet", "pandas.read_parquet('b.parquet').to_csv('b.csv', index=False)"),
    ],
)  # fmt: skip
def test_an_unknown_suffix_is_refused_with_the_way_out(name, way_out):
    assert file_format("a/b.TSV") == "tsv"
    with pytest.raises(InputError) as refused:
        file_format(f"a/{name}")
    assert str(refused.value).startswith(f"a/{name}: expected one of .csv, ")
    assert f", got {Path(name).suffix}" in str(refused.value)
    assert str(refused.value).endswith(way_out or ".doc")


@pytest.mark.parametrize(
    "content",
    [
        "text;label\na, b;c\n",
        "text\tlabel\na, b\tc\n",
        'text|label\r\n"a, b"|c\r\n',
        'text,label\n"a, b",c\n',
        "sep=;\ntext;label\na, b;c\n",
        '"sep=\t"\r\ntext\tlabel\r\na, b\tc\r\n',
        'text;"label";per day, in €\na, b;c;1,5\n',
        '# ----\n# Sales, all of them, by week\n\ntext,label\n"a, b",c\n',
        'text label\n"a, b" c\n',
        '# by week\n text   label\r\n\r\n"a, b"   c\r\n',
        'sep= \ntext label\n"a, b" c\n',
    ],
)
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_what_parts_the_fields_is_found(content, kind):
    assert rows(content, kind) == [("a, b", "c")]
    assert rows(content.encode("utf-16"), kind) == [("a, b", "c")]  # as Excel's "Unicode text"


def test_a_header_may_begin_with_a_hash_and_a_field_may_hold_what_parts_others():
    assert rows("#text;label\na;b\n", columns=("#text", "label")) == [("a", "b")]
    assert rows('"a;b",label\nx;y,z\n', columns=("a;b", "label")) == [("x;y", "z")]
    assert rows("# of sales,label\n1,2\n", columns=("# of sales", "label")) == [("1", "2")]
    assert rows("# by the week\ntext\na\n", columns=("text",)) == [("a",)]


def test_words_of_one_column_are_not_fields():
    found = rows("my text\nvery good\n\nnot so good\nbad sadly\nbad\n", columns=("my text",))
    assert found == [("very good",), ("not so good",), ("bad sadly",), ("bad",)]


def test_a_column_called_as_its_option_is_found_in_any_case_that_one_alone_has():
    def found(content, kind="csv", columns=("text", "label"), **named):
        options = dict(zip(columns, ("text", "label"), strict=True))
        read = read_table(io.BytesIO(content.encode()), f"x.{kind}", kind, columns, options=options, **named)
        return [dict(row.values) for row in read]

    assert found("Label,TEXT\nb,a\n") == [{"text": "a", "label": "b"}]
    assert found('{"Text": "a", "label": "b"}\n{"text": "c", "LABEL": "d"}\n', "jsonl") == [
        {"text": "a", "label": "b"},
        {"text": "c", "label": "d"},
    ]
    assert found("Text,text,label\nz,a,b\n", others=True) == [{"text": "a", "label": "b", "Text": "z"}]
    assert found("TEXT,Label,x\na,b,1\n", others=True) == [{"text": "a", "label": "b", "x": "1"}]
    for header, columns in (
        ("Text,TEXT,label", ("text", "label")),
        ("Review,label", ("review", "label")),  # of another name what is said is meant
        ("TEXT,x", ("text", "TEXT")),  # no column is two
    ):
        with pytest.raises(InputError, match=f"expected a column '{columns[0]}', the columns are"):
            found(f"{header}\n" + ",".join("a" * (header.count(",") + 1)) + "\n", columns=columns)


@pytest.mark.parametrize(("row", "column", "what"), [(" ,b", "text", "a text"), ("a,", "label", "a label")])
def test_empty_texts_and_labels_are_refused(tmp_path, row, column, what):
    path = tmp_path / "x.csv"
    path.write_text(f"text,label\na,b\n{row}\n")
    with pytest.raises(InputError, match=f"x.csv, line 3, column '{column}': expected {what}, got an empty"):
        read_examples(path, "text", "label")
