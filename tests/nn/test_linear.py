"""Linear in place of torch.nn's: the same contract, the equations, and the same bits in any batch."""

import copy
import pickle
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from elman import _engine, ops
from elman.nn import Linear
from tests.strategies import sizes

DTYPES = [torch.float32, torch.float64]


def twins(*args, dtype=torch.float32, **options):
    torch.manual_seed(3)
    ours = Linear(*args, dtype=dtype, **options)
    torch.manual_seed(3)
    return ours, torch.nn.Linear(*args, dtype=dtype, **options)


@pytest.fixture
def engine_calls(monkeypatch):
    """How often the engine has been asked, forward and backward."""
    calls = []
    for name in ("_forward", "_backward"):
        function = getattr(ops._linear, name)
        monkeypatch.setattr(ops._linear, name, lambda *a, name=name, f=function: (calls.append(name), f(*a))[1])
    return calls


def test_it_is_torchs_but_for_its_forward(engine_calls):
    ours, torchs = twins(5, 3)
    assert isinstance(ours, torch.nn.Linear)
    assert repr(ours) == repr(torchs)
    assert list(ours.state_dict()) == ["weight", "bias"]
    assert all((a == b).all() for a, b in zip(ours.parameters(), torchs.parameters(), strict=True))
    x = torch.randn(4, 5)
    for each in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert (each(x) == ours(x)).all()
    assert len(engine_calls) == 4


@settings(max_examples=60)
@given(
    rows=st.integers(0, 40), in_features=sizes, out_features=sizes, bias=st.booleans(), dtype=st.sampled_from(DTYPES)
)
def test_outputs_and_gradients_are_those_of_the_equations(rows, in_features, out_features, bias, dtype):
    ours, _ = twins(in_features, out_features, bias=bias, dtype=dtype)
    exact = torch.nn.Linear(in_features, out_features, bias=bias, dtype=torch.float64)
    exact.load_state_dict(ours.state_dict())
    x = torch.randn(rows, in_features, dtype=dtype, requires_grad=True)
    wide = x.detach().double().requires_grad_()
    upstream = torch.randn(rows, out_features, dtype=dtype)
    y, expected = ours(x), exact(wide)
    y.backward(upstream)
    expected.backward(upstream.double())
    results = [y, x.grad, *(p.grad for p in ours.parameters())]
    for result, true in zip(results, [expected, wide.grad, *(p.grad for p in exact.parameters())], strict=True):
        scale = 1 + true.abs().max() if true.numel() else 1
        assert result.dtype == dtype
        assert ((result.double() - true).abs() <= 64 * torch.finfo(dtype).eps * scale).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("features", [(64, 5), (300, 130), (1, 1), (17, 33)])
def test_a_row_is_the_same_bits_in_any_batch_and_on_any_threads(dtype, features):
    linear, torchs = twins(*features, dtype=dtype)
    x = torch.randn(700, features[0], dtype=dtype)
    with torch.no_grad():
        together = linear(x)
        assert (torch.cat([linear(row[None]) for row in x[:20]]) == together[:20]).all()
        assert (linear(x[3]) == together[3]).all()
        assert (linear(x.view(7, 100, -1)) == together.view(7, 100, -1)).all()
        torch.set_num_threads(2)
        assert (linear(x) == together).all()
        if features == (300, 130):  # what is promised here is not to be had there
            assert (torch.cat([torchs(row[None]) for row in x]) != torchs(x)).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_the_same_bits_on_any_threads(dtype):
    linear, _ = twins(90, 70, dtype=dtype)
    x, upstream = torch.randn(3000, 90, dtype=dtype), torch.randn(3000, 70, dtype=dtype)

    def gradients(threads):
        torch.set_num_threads(threads)
        given = x.clone().requires_grad_()
        return torch.autograd.grad(linear(given), [given, *linear.parameters()], upstream)

    for one, two in zip(gradients(1), gradients(2), strict=True):
        assert (one == two).all()


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4)])
def test_gradcheck_to_the_second_derivative(shape):
    linear, _ = twins(4, 3, dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weights = list(linear.parameters())
    assert gradcheck(lambda x, *_: linear(x), (x, *weights))
    assert gradgradcheck(lambda x, *_: linear(x), (x, *weights))


@pytest.mark.parametrize("strided", [False, True])
def test_inputs_and_gradients_of_any_strides(strided, engine_calls):
    ours, torchs = twins(6, 4)
    base = torch.randn(6, 9)
    many = torch.randn(4, 1, 3, 6)
    rows = [base.t(), base.t()[::2], torch.randn(1, 6).expand(5, 6), torch.randn(3, 1, 6).expand(3, 4, 6)]
    rows += [many[0, 0, 0], many, many[::2], many.transpose(0, 2), many.expand(4, 2, 3, 6), many[:0]]
    for x in rows:
        grads = []
        for linear in (ours, torchs):
            given = x.clone().requires_grad_() if strided else x.detach().requires_grad_()
            y = linear(given)
            y.sum().backward()  # an expanded gradient
            grads.append((y, given.grad, linear.weight.grad))
            linear.zero_grad()
        torch.testing.assert_close(*grads)
    assert engine_calls.count("_backward") == len(rows)


def test_rows_of_more_dimensions_pass_no_other_node_of_autograd():
    """A view of a tensor that learns gives up the GIL while PyTorch holds that tensor's lock, which may be for good."""
    x = torch.randn(2, 3, 5, requires_grad=True)
    nodes = [node for node, _ in Linear(5, 4)(x).grad_fn.next_functions]
    assert [node.variable is x for node in nodes] == [True, False, False]


def test_frozen_parts_get_no_gradient():
    for frozen in ("weight", "bias", "input"):
        linear, _ = twins(3, 2)
        x = torch.randn(4, 3, requires_grad=frozen != "input")
        if frozen != "input":
            getattr(linear, frozen).requires_grad_(False)
        linear(x).sum().backward()
        got = {"weight": linear.weight.grad, "bias": linear.bias.grad, "input": x.grad}
        assert [name for name, gradient in got.items() if gradient is None] == [frozen]


@pytest.mark.parametrize("frozen", ["weight", "input"])
def test_what_no_gradient_needs_is_not_kept_and_may_be_written(frozen):
    gradients = []
    for linear in twins(300, 200):
        x = torch.randn(7, 300, generator=torch.Generator().manual_seed(0), requires_grad=frozen != "input")
        linear.weight.requires_grad_(frozen != "weight")
        rows = x * 2
        y = linear(rows)
        with torch.no_grad():
            (rows if frozen == "weight" else linear.weight).add_(1)
        y.square().sum().backward()
        gradients.append([x.grad, linear.weight.grad, linear.bias.grad])
    for ours, torchs in zip(*gradients, strict=True):
        assert (ours is None) == (torchs is None)
        if ours is not None:
            torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4)
    linear = Linear(30, 20)
    linear.weight.requires_grad_(False)
    output = linear(torch.randn(4, 30, requires_grad=True))
    assert output.grad_fn.saved_tensors[0] is None


@pytest.mark.parametrize(
    "input",
    [torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.float64), torch.zeros(()), torch.zeros(2, 3, dtype=torch.int64)],
)
def test_errors_are_torchs(input):
    messages = []
    for linear in twins(3, 2):
        with pytest.raises(RuntimeError) as caught:
            linear(input)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_what_the_engine_does_not_take_is_torchs(engine_calls):
    ours, torchs = twins(3, 2)
    x = torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert (ours(x) == torchs(x)).all()
    half = copy.deepcopy(ours).to(torch.bfloat16)
    assert half(x.to(torch.bfloat16)).dtype == torch.bfloat16
    batched = torch.func.vmap(ours)(torch.randn(5, 3))
    assert batched.shape == (5, 2)
    jacobian = torch.func.jacrev(ours)(x[0])
    torch.testing.assert_close(jacobian, ours.weight.detach())
    with torch.device("meta"):
        assert Linear(3, 2)(torch.zeros(4, 3)).is_meta
    assert not engine_calls
    traced = torch.fx.symbolic_trace(torch.nn.Sequential(ours))
    assert [node.op for node in traced.graph.nodes] == ["placeholder", "call_module", "output"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated: not so in PyTorch 2.4, and by another class in 2.15
        torch.testing.assert_close(torch.jit.script(ours)(x), torchs(x))


def test_batched_gradients():
    linear, _ = twins(3, 2, dtype=torch.float64)
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    y = linear(x)
    upstream = torch.randn(5, 4, 2, dtype=torch.float64)
    (batched,) = torch.autograd.grad(y, x, upstream, is_grads_batched=True, retain_graph=True)
    for one, vector in zip(batched, upstream, strict=True):
        torch.testing.assert_close(torch.autograd.grad(y, x, vector, retain_graph=True)[0], one)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pooling_has_the_gradients_of_the_largest_and_the_mean(dtype):
    batch_sizes = torch.tensor([3, 3, 2, 1])
    states = torch.randn(9, 4, dtype=dtype)
    states[3] = states[0]  # a largest value that occurs twice
    rows = [[0, 3, 6, 8], [1, 4, 7], [2, 5]]
    upstream = torch.randn(3, 8, dtype=dtype)
    gradients = []
    for pool in (
        lambda x: ops.pool(x, batch_sizes),
        lambda x: torch.stack([torch.cat([x[own].amax(0), x[own].mean(0)]) for own in rows]),
    ):
        x = states.clone().requires_grad_()
        pooled = pool(x)
        pooled.backward(upstream)
        gradients.append((pooled.detach(), x.grad))
    torch.testing.assert_close(*gradients)


def test_the_engine_is_what_runs(engine_calls):
    linear, _ = twins(3, 2)
    linear(torch.randn(4, 3)).sum().backward()
    assert engine_calls == ["_forward", "_backward"]
    assert _engine.Cell.identity.name == "identity"
