"""The example of a server answers, and refuses in one line, without a server in between."""

import asyncio
import json
import runpy
from pathlib import Path
from typing import Any

import pytest

import elman

from .test_documentation import put_streaming_classifier

pytest.importorskip("starlette")
EXAMPLE = Path(__file__).parents[2] / "examples/http/serve.py"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    put_streaming_classifier(tmp_path / "model")
    monkeypatch.setenv("ELMAN_MODEL", str(tmp_path / "model"))
    return runpy.run_path(str(EXAMPLE))["app"]


def ask(app: Any, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    """The status and the JSON that a request is answered with."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


def test_texts_get_the_answers_that_the_model_gives(app: Any, tmp_path: Path) -> None:
    model = elman.load(tmp_path / "model")
    status, answers = ask(app, "POST", "/predict", b'{"texts": ["petr", "r"]}')
    expected = model.predict_proba(["petr", "r"])
    assert status == 200
    assert [answer["probability"] for answer in answers] == expected.max(axis=1).tolist()
    assert [answer["label"] for answer in answers] == list(model.predict(["petr", "r"]))
    assert ask(app, "GET", "/health") == (200, {"elman": elman.__version__, "classes": ["a", "b"]})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"texts": [1]}', 400, "texts[0]: expected a text, got int"),
        (b'{"texts": "petr"}', 400, "body: expected"),
        (b'{"text": []}', 400, "body: expected"),
        (b"[1", 400, "body: expected"),
        (b"\xff", 400, "body: expected"),
        (b" " * (1 << 20) + b"{}", 413, "body: expected at most 1048576 bytes"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_one_line(app: Any, body: bytes, status: int, error: str) -> None:
    got, answer = ask(app, "POST", "/predict", body)
    assert got == status
    assert answer["error"].startswith(error)
