"""PyTorch's private names may go in any version: then PyTorch computes, and says so once."""

import subprocess
import sys
import textwrap

EACH_NAME = """
    import importlib, sys, warnings
    import torch, torch.utils._device

    owners = {
        "_len_torch_dispatch_stack": torch._C,
        "peek_interpreter_stack": torch._C._functorch,
        "_get_tracing_state": torch._C,
        "_len_torch_function_stack": torch._C,
        "_is_any_autocast_enabled": torch._C,
        "is_functorch_wrapped_tensor": torch._C._functorch,
        "_after_autograd_keyset": torch._C,
        "enable_single_level_autograd_function": torch._functorch.utils,
        "_get_current_function_mode_stack": torch.overrides,
        "DeviceContext": torch.utils._device,
        "_current_level": torch.autograd.forward_ad,
        "_update_flat_weights": torch.nn.RNNBase,
    }
    for name, owner in owners.items():
        value = getattr(owner, name)
        delattr(owner, name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gate = importlib.import_module("elman._gate")
        setattr(owner, name, value)
        assert [warning.category for warning in caught] == [RuntimeWarning], (name, caught)
        message = str(caught[0].message)
        assert name in message and torch.__version__ in message and "\\n" not in message, message
        assert not gate.nothing_intercepts() and not gate.is_plain(torch.zeros(1)), name
        del sys.modules["elman._gate"]
"""

NO_EXCHANGE = """
    if hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
        del torch.Tensor.__dlpack_c_exchange_api__
    sys.modules["torch_c_dlpack_ext"] = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import elman.nn, elman.tasks
    assert [warning.category for warning in caught] == [RuntimeWarning], caught
    assert "needs torch-c-dlpack-ext: pip install" in str(caught[0].message), caught[0]

    warnings.simplefilter("error")
    sequence, rows = ((3, 5, 2), (4, 2, 3)), ((3, 5), (2, 3))
    kinds = {"RNN": sequence, "GRU": sequence, "LSTM": sequence, "RNNCell": rows, "LSTMCell": rows, "Linear": rows}
    for kind, (sizes, shape) in kinds.items():
        results = []
        for nn in (elman.nn, torch.nn):
            torch.manual_seed(0)
            layer, x = getattr(nn, kind)(*sizes), torch.randn(shape, requires_grad=True)
            output = layer(x)
            output = output[0] if isinstance(output, tuple) else output
            results.append([output, *torch.autograd.grad(output.square().sum(), [x, *layer.parameters()])])
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True)), kind
        model = torch.nn.Sequential(getattr(elman.nn, kind)(*sizes))
        assert "call_module" in [node.op for node in torch.fx.symbolic_trace(model).graph.nodes], kind
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(4, 3), torch.randn(2, 3)])
    assert elman.nn.RNN(3, 5)(packed)[0].data.shape == (6, 5)
"""


def test_where_a_private_name_or_tensors_exchange_is_missing_pytorch_computes_with_one_warning() -> None:
    program = textwrap.dedent(EACH_NAME) + textwrap.dedent(NO_EXCHANGE)  # in one process, whose PyTorch takes seconds
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
