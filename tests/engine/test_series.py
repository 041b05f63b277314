"""The coefficients of tanh and sigma are those that their generator makes."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["float", "double"])
def test_the_header_holds_what_the_generator_prints(kind):
    pytest.importorskip("mpmath")
    generator = runpy.run_path(str(ROOT / "tools/tanh_series.py"))
    header = (ROOT / "engine/simd/tanh.h").read_text("utf-8")
    [series] = re.findall(rf"constexpr {kind} kSeries\[\] = {{(.*?)}};", header, re.DOTALL)
    held = [float(number.rstrip("f")) for number in re.split(r",\s*", series)]
    dtype = {"float": np.float32, "double": np.float64}[kind]
    assert np.array_equal(np.array(held, dtype), np.array(generator[f"of_{kind}"](), dtype))
