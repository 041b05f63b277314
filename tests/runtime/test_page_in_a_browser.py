"""The pages of traces in a browser, where there is one."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.runtime.test_trace import TRACED

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
STEP = 3

pytestmark = [
    pytest.mark.slow,  # a browser takes a second or two to start
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
]


@pytest.fixture(params=TRACED)
def drawn(request, tmp_path):
    """A kind of model, its trace, and its page as a browser has drawn it, at a step."""
    trace = TRACED[request.param]()
    trace.save_html(tmp_path / "page.html")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    page = f"{Path(tmp_path, 'page.html').as_uri()}#{STEP}"
    done = subprocess.run(
        [BROWSER, *flags, "--dump-dom", page], capture_output=True, text=True, encoding="utf-8", timeout=100, check=True
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return request.param, trace, done.stdout, complaints


def test_a_browser_draws_each_page_and_goes_to_the_step_of_its_address(drawn):
    kind, trace, page, complaints = drawn
    assert complaints == []
    words = html.unescape(re.sub(r"<script.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL))
    assert f"{STEP} of {len(trace.read)}" in words
    assert kind in words
    at = STEP - 1
    if kind == "forecaster":
        assert f"After {trace.read[at]}: what is expected" in words
        assert f"{trace.expected.times[STEP]}" in words
    elif kind == "language model":
        assert f"{100 * trace.beliefs[at].max():.1f}%" in words
    else:
        assert f"{100 * trace.beliefs[at, trace.taken[at]]:.1f}%" in words
    assert page.count('role="option"') == (0 if trace.signal is not None else len(trace.read))
