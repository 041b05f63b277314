"""Files that hold tables or texts in a form that is not read, and how to make one of them that is."""

from pathlib import Path

__all__ = ["WAYS_OUT", "by_content", "way_out"]

SHEET = "save the sheet as CSV (in Excel: File, Save As, CSV UTF-8; in LibreOffice: File, Save As, Text CSV)"
PANDAS = "write a CSV file of it, with pandas: pandas.read_{format}({file!r}).to_csv({stem!r}, index=False)"
WAYS_OUT = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"), SHEET),
    **dict.fromkeys((".parquet", ".feather"), PANDAS),
    ".json": "write an object a line, as with jq: jq -c '.[]' {file} > {stem}.jsonl",
    ".gz": "unpack it first: gunzip -k {file}",
    ".bz2": "unpack it first: bunzip2 -k {file}",
    ".xz": "unpack it first: unxz -k {file}",
    ".zst": "unpack it first: unzstd {file}",
    ".zip": "unpack it first: unzip {file}",
}
MAGIC = {  # what such files begin with, whatever they are called
    b"PK\x03\x04": f"a ZIP archive or an Excel workbook; unpack it, or {SHEET}",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"an old Excel workbook; {SHEET}",
    b"\x1f\x8b": "a file packed by gzip; unpack it first",
    b"BZh91AY&SY": "a file packed by bzip2; unpack it first",
    b"\xfd7zXZ\0": "a file packed by xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd; unpack it first",
    b"PAR1\x15": "a Parquet file; write a CSV file of it",
    b"%PDF-": "a PDF document; save its text",
}


def way_out(path: str | Path) -> str:
    """Return how a file, by its suffix, becomes one that is read, after a semicolon; nothing if that is not known."""
    path = Path(path)
    suffix = path.suffix.lower()
    words = WAYS_OUT.get(suffix, "").format(format=suffix[1:], file=path.name, stem=_stem(path, suffix))
    return f"; {words}" if words else ""


def _stem(path: Path, suffix: str) -> str:
    return path.stem if suffix == ".json" else f"{path.stem}.csv"


def by_content(begin: bytes) -> str | None:
    """Return what the first bytes of a file say that it is, and the way out; ``None`` if it may be a text."""
    return next((words for magic, words in MAGIC.items() if begin.startswith(magic)), None)
