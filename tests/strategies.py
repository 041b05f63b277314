"""All hypothesis strategies of the suite."""

from hypothesis import strategies as st

from tests.nn.cases import CELLS, FORMS, GRADIENT_LAYOUTS, LAYOUTS, Case

# Every width of vector tail, blocks of 16 and their neighbours, and some that are large.
sizes = st.one_of(st.integers(1, 20), st.integers(1, 70), st.sampled_from([16, 32, 48, 64, 100, 128, 131]))
small_sizes = st.one_of(st.integers(1, 9), st.integers(1, 40))
seeds = st.integers(0, 2**31)


@st.composite
def cases(draw: st.DrawFn, *, forms: tuple[str, ...] = FORMS, dropout: bool = True) -> Case:
    """A layer, its input, its initial state and what is asked of its gradients."""
    form = draw(st.sampled_from(forms))
    batch = 1 if form == "unbatched" else draw(st.one_of(st.integers(1, 4), st.integers(1, 20)))
    steps = draw(st.integers(1, 12))
    lengths = [steps] * batch
    if form.startswith("packed"):
        lengths = draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
        if form == "packed":
            lengths.sort(reverse=True)
    layers = draw(st.integers(1, 3))
    return Case(
        input_size=draw(sizes),
        hidden_size=draw(sizes),
        num_layers=layers,
        cell=draw(st.sampled_from(list(CELLS))),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
        dropout=draw(st.sampled_from([0.0, 0.3, 1.0])) if dropout and layers > 1 else 0.0,
        bidirectional=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float32", "float64"])),
        training=draw(st.booleans()),
        form=form,
        lengths=tuple(lengths),
        layout=draw(st.sampled_from(LAYOUTS)),
        hx_layout=draw(st.sampled_from((None, *LAYOUTS))),
        through=draw(st.sampled_from(["output", "h_n", "both"])),
        gradient_layout=draw(st.sampled_from(GRADIENT_LAYOUTS)),
        seed=draw(seeds),
    )


@st.composite
def frozen_cases(draw: st.DrawFn) -> tuple[Case, frozenset[str]]:
    """A small case, and the names of what needs no gradient."""
    case = draw(cases())
    names = [
        "input",
        "hx",
        *["cx"] * (case.cell == "lstm"),
        *(name for name, _ in case.layer_of_torch().named_parameters()),
    ]
    return case, frozenset(draw(st.lists(st.sampled_from(names), max_size=len(names), unique=True)))


@st.composite
def partitions(draw: st.DrawFn, total: int) -> list[int]:
    """Positive lengths that sum to ``total``."""
    cuts = sorted(draw(st.sets(st.integers(1, total - 1)))) if total > 1 else []
    return [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True)]
