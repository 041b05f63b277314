"""The rows of n-grams as ONNX operators: :mod:`elman.runtime._ngrams`, number for number."""

from __future__ import annotations

import numpy as np

from elman.runtime._arrays import Array
from elman.runtime._ngrams import MULTIPLIER, ROW_SHIFT, SHIFT
from elman.runtime._onnx.writing import Graph
from elman.runtime._vocabulary import PADDING

__all__ = ["add_ngram_terms"]


def add_ngram_terms(graph: Graph, table: Array, tokens: str, context: int) -> str:
    """Add what the n-grams come to, (steps, batch, classes), of up to ``context + 1`` of the tokens (batch, steps)."""
    hashing, summed = _Hashing(graph), ""
    padding = [graph.constant("context", np.array([0, context, 0, 0])), graph.constant("padding", np.int64(PADDING))]
    padded = graph.add("Pad", [tokens, *padding], "padded")
    codes = graph.add("Add", [padded, graph.constant("one_more", np.int64(1))], "codes")
    weights, rows = graph.constant("ngrams", table), graph.constant("ngram_rows", np.int64(len(table)))
    hashes = hashing.mixed(hashing.part(codes, context, np.iinfo(np.int64).max), "hash_1")
    for back in range(1, context + 1):
        both = graph.add("Add", [hashes, hashing.part(codes, context - back, -back)], f"sum_{back + 1}")
        hashes = hashing.mixed(both, f"hash_{back + 1}")
        row = graph.add("Mod", [hashing.shifted(hashes, ROW_SHIFT, f"high_{back + 1}"), rows], f"row_{back + 1}")
        terms = graph.add("Gather", [weights, row], f"terms_{back + 1}", axis=0)
        summed = graph.add("Add", [summed, terms], f"summed_{back + 1}") if summed else terms
    return graph.add("Transpose", [summed], "ngram_terms", perm=[1, 0, 2])


class _Hashing:
    """Hashes as int64, whose sums and products wrap as those of uint64 do, but shifted and xor-ed as uint64."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.multiplier = graph.constant("multiplier", MULTIPLIER.astype(np.int64))
        self.axis = graph.constant("step_axis", np.array([1]))

    def part(self, codes: str, start: int, end: int) -> str:
        bounds = [self.graph.constant(f"{at}_of_{start}", np.array([n])) for at, n in (("start", start), ("end", end))]
        return self.graph.add("Slice", [codes, *bounds, self.axis], f"codes_from_{start}")

    def shifted(self, hashes: str, bits: np.uint64, output: str) -> str:
        unsigned = self.graph.cast(hashes, np.uint64, f"{output}_unsigned")
        by = self.graph.constant(f"{output}_by", bits)
        shifted = self.graph.add("BitShift", [unsigned, by], f"{output}_shifted", direction="RIGHT")
        return self.graph.cast(shifted, np.int64, output)

    def mixed(self, hashes: str, output: str) -> str:
        folded = self.graph.add("BitwiseXor", [hashes, self.shifted(hashes, SHIFT, f"{output}_high")], f"{output}_xor")
        return self.graph.add("Mul", [folded, self.multiplier], output)
