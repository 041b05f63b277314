"""ONNX models of one recurrent node, arguments for them, and what the operator's specification makes of these."""

import math
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper

import elman

NAMES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
OUTPUTS = {"RNN": ("Y", "Y_h"), "GRU": ("Y", "Y_h"), "LSTM": ("Y", "Y_h", "Y_c")}
SWITCHES = {"GRU": "linear_before_reset", "LSTM": "input_forget"}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
ACTIVATIONS = {  # whether alpha and beta are taken, and the defaults of ONNX's operators of these names
    "Relu": (None, None),
    "Tanh": (None, None),
    "Sigmoid": (None, None),
    "Affine": (1.0, 0.0),
    "LeakyRelu": (np.float32(0.01), None),
    "ThresholdedRelu": (1.0, None),
    "ScaledTanh": (1.0, 1.0),
    "HardSigmoid": (np.float32(0.2), 0.5),
    "Elu": (1.0, None),
    "Softsign": (None, None),
    "Softplus": (None, None),
}
FORMULAS = {
    "Relu": lambda x, a, b: max(0.0, x),
    "Tanh": lambda x, a, b: math.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + math.exp(-x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: x if x >= 0 else a * x,
    "ThresholdedRelu": lambda x, a, b: x if x >= a else 0.0,
    "ScaledTanh": lambda x, a, b: a * math.tanh(b * x),
    "HardSigmoid": lambda x, a, b: min(max(a * x + b, 0.0), 1.0),
    "Elu": lambda x, a, b: x if x >= 0 else a * (math.exp(x) - 1),
    "Softsign": lambda x, a, b: x / (1 + abs(x)),
    "Softplus": lambda x, a, b: math.log(1 + math.exp(x)),
}


def info(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def model_of(nodes, inputs, outputs, initializers=None, opset=22, ir_version=10, **more):
    """A model; inputs, outputs and initializers are arrays by name."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [info(name, array) for name, array in inputs.items()],
        [info(name, array) for name, array in outputs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in (initializers or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version, **more)


def node_model(arguments, attributes, outputs=None, given=NAMES, operator="RNN", **options):
    """A model of one recurrent node.

    Args:
        arguments: the node's inputs by name; absent ones are left out.
        attributes: the node's.
        outputs: their names; "" omits one; None: all.
        given: the inputs that a call gives; the others are initialisers.
        operator: its name.
    """
    outputs = OUTPUTS[operator] if outputs is None else outputs
    names = [name if name in arguments else "" for name in NAMES]
    while not names[-1]:
        names.pop()
    X, W, hidden_size = arguments["X"], arguments["W"], arguments["R"].shape[-1]
    leading = X.shape[:2]
    of_all, of_last = (leading[0], len(W), leading[1], hidden_size), (len(W), leading[1], hidden_size)
    if attributes.get("layout"):
        of_all, of_last = (*leading, len(W), hidden_size), (leading[0], len(W), hidden_size)
    return model_of(
        [helper.make_node(operator, names, outputs, "cell", **attributes)],
        {name: array for name, array in arguments.items() if name in given},
        {name: np.zeros(of_all if name == "Y" else of_last, X.dtype) for name in outputs if name},
        {name: array for name, array in arguments.items() if name not in given},
        **options,
    )


def loaded(model):
    """What is read back from the file of a model, its bytes or a proto."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return elman.runtime.from_onnx(path)


def draw_arguments(
    seed=0, steps=4, batch=3, input_size=2, hidden_size=3, directions=1, dtype="float32", layout=0, lengths=None,
    bias=True, initial=True, operator="RNN", peepholes=False, scale=1.0,
):  # fmt: skip
    draw, rows = np.random.default_rng(seed).uniform, GATES[operator] * hidden_size
    shapes = {
        "X": (steps, batch, input_size),
        "W": (directions, rows, input_size),
        "R": (directions, rows, hidden_size),
        "B": (directions, 2 * rows),
        "initial_h": (directions, batch, hidden_size),
        "initial_c": (directions, batch, hidden_size),
        "P": (directions, 3 * hidden_size),
    }
    arguments = {name: draw(-scale, scale, shape).astype(dtype) for name, shape in shapes.items()}
    arguments["X"] *= 3
    absent = ["B"] * (not bias) + ["P"] * (not peepholes)
    absent += ["initial_h", "initial_c"] if not initial else ["initial_c"] * (operator != "LSTM")
    for name in absent:
        del arguments[name]
    if layout:
        turned = arguments.keys() & {"X", "initial_h", "initial_c"}
        arguments |= {name: arguments[name].swapaxes(0, 1).copy() for name in turned}
    if lengths is not None:
        arguments["sequence_lens"] = np.array(lengths, np.int32)
    return arguments


@st.composite
def nodes(draw, operator, for_onnx_runtime=False):
    """Arguments, attributes and further options of :func:`node_model`."""
    directions = draw(st.sampled_from([1, 2]))
    opset = draw(st.sampled_from([7, 14, 22] if for_onnx_runtime else [1, 7, 14, 22]))
    layout = draw(st.sampled_from([0, 1])) if opset >= 14 and not for_onnx_runtime else 0
    steps, batch = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    least = 1 if for_onnx_runtime else 0  # of length 0 it reads out of bounds
    activations = draw(st.just({}) | _activations(len(DEFAULTS[operator]) * directions, for_onnx_runtime))
    arguments = draw_arguments(
        seed=draw(st.integers(0, 2**32)),
        steps=steps,
        batch=batch,
        input_size=draw(st.integers(1, 5)),
        hidden_size=draw(st.integers(1, 9)),
        directions=directions,
        dtype=draw(st.sampled_from(["float32"] if for_onnx_runtime else ["float32", "float64"])),
        layout=layout,
        lengths=draw(st.none() | st.lists(st.integers(least, steps), min_size=batch, max_size=batch)),
        bias=draw(st.booleans()),
        initial=draw(st.booleans()),
        operator=operator,
        peepholes=operator == "LSTM" and draw(st.booleans()),
        scale=0.375 if activations and operator != "RNN" else 1,  # a gate without bounds lets states explode
    )
    attributes = {"direction": "bidirectional" if directions == 2 else draw(st.sampled_from(["forward", "reverse"]))}
    attributes |= activations
    attributes |= {"layout": layout} if layout else {}
    attributes |= {"hidden_size": arguments["R"].shape[-1]} if for_onnx_runtime or draw(st.booleans()) else {}
    attributes |= {"clip": draw(st.sampled_from([0.25, 1.5]))} if draw(st.booleans()) else {}
    switch = SWITCHES.get(operator)
    if switch and opset >= 3 and draw(st.booleans()):
        attributes[switch] = draw(st.sampled_from([0, 1]))
    given = draw(st.sampled_from([NAMES, ("X", "sequence_lens")]))
    return arguments, attributes, {"opset": opset, "operator": operator, "given": given}


@st.composite
def _activations(draw, count, all_constants):
    names = draw(st.lists(st.sampled_from([*ACTIVATIONS]), min_size=count, max_size=count))
    attributes = {"activations": names}
    for place, attribute in enumerate(("activation_alpha", "activation_beta")):
        takers = sum(ACTIVATIONS[name][place] is not None for name in names)
        given = takers if all_constants else draw(st.integers(0, takers))  # ONNX Runtime's defaults are other ones
        values = draw(st.lists(st.floats(0.125, 1, width=32), min_size=given, max_size=given))
        attributes |= {attribute: values} if values else {}
    return attributes


def specified(arguments, attributes, operator="RNN"):
    """Y, Y_h and Y_c in float64 by the specification, one sequence after the other."""
    inputs = {name: array.astype(np.float64) for name, array in arguments.items()}
    X, layout = inputs["X"], attributes.get("layout", 0)
    X = X.swapaxes(0, 1) if layout else X
    (steps, batch), (directions, _, hidden_size) = X.shape[:2], inputs["R"].shape
    lengths = arguments.get("sequence_lens", [steps] * batch)
    step, functions = STEPS[operator], _functions(attributes, operator, directions)
    Y, last = np.zeros((steps, directions, batch, hidden_size)), []
    for name in ("initial_h", "initial_c")[: len(OUTPUTS[operator]) - 1]:
        initial = inputs.get(
            name, np.zeros((batch, directions, hidden_size) if layout else (directions, batch, hidden_size))
        )
        last.append(initial.swapaxes(0, 1).copy() if layout else initial.copy())
    for d in range(directions):
        of_direction = {name: inputs[name][d] for name in ("W", "R", "B", "P") if name in inputs}
        backwards = attributes["direction"] == "reverse" or d == 1
        for n in range(batch):
            states = [state[d, n] for state in last]
            for t in range(lengths[n])[:: -1 if backwards else 1]:
                states = step(X[t, n], *states, of_direction, attributes, *functions[d])
                Y[t, d, n] = states[0]
            for state, after in zip(last, states, strict=True):
                state[d, n] = after
    return (Y.transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in last)) if layout else (Y, *last)


def _functions(attributes, operator, directions):
    """The activations of each direction, on vectors."""
    each, clip = len(DEFAULTS[operator]), attributes.get("clip", np.inf)
    alphas, betas = iter(attributes.get("activation_alpha", ())), iter(attributes.get("activation_beta", ()))
    functions = []
    for place, name in enumerate(attributes.get("activations", DEFAULTS[operator] * directions)):
        a, b = (
            None if default is None else float(next(values, default))
            for default, values in zip(ACTIVATIONS[name], (alphas, betas), strict=True)
        )
        bound = np.inf if place % each == 2 else clip  # ONNX Runtime doesn't clip an LSTM's c
        functions.append(partial(_applied, FORMULAS[name], a, b, bound))
    return [functions[d * each : (d + 1) * each] for d in range(directions)]


def _applied(formula, a, b, bound, z):
    return np.array([formula(min(max(value, -bound), bound), a, b) for value in z])


def _parts(array, gates):
    return np.split(array, len(gates)) if array is not None else [0.0] * len(gates)


def _rnn(x, h, node, attributes, f):
    Wb, Rb = _parts(node.get("B"), "WR")
    return (f(node["W"] @ x + node["R"] @ h + Wb + Rb),)


def _gru(x, h, node, attributes, f, g):
    Wz, Wr, Wh = _parts(node["W"], "zrh")
    Rz, Rr, Rh = _parts(node["R"], "zrh")
    Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = _parts(node.get("B"), "zrhzrh")
    z = f(Wz @ x + Rz @ h + Wbz + Rbz)
    r = f(Wr @ x + Rr @ h + Wbr + Rbr)
    if attributes.get("linear_before_reset", 0) != 0:
        new = g(Wh @ x + r * (Rh @ h + Rbh) + Wbh)
    else:
        new = g(Wh @ x + Rh @ (r * h) + Rbh + Wbh)
    return ((1 - z) * new + z * h,)


def _lstm(x, h, c, node, attributes, f, g, of_c):
    Wi, Wo, Wf, Wc = _parts(node["W"], "iofc")
    Ri, Ro, Rf, Rc = _parts(node["R"], "iofc")
    Wbi, Wbo, Wbf, Wbc, Rbi, Rbo, Rbf, Rbc = _parts(node.get("B"), "iofciofc")
    Pi, Po, Pf = _parts(node.get("P"), "iof")
    i = f(Wi @ x + Ri @ h + Pi * c + Wbi + Rbi)
    forget = 1 - i if attributes.get("input_forget") else f(Wf @ x + Rf @ h + Pf * c + Wbf + Rbf)
    new = forget * c + i * g(Wc @ x + Rc @ h + Wbc + Rbc)
    o = f(Wo @ x + Ro @ h + Po * new + Wbo + Rbo)
    return o * of_c(new), new


STEPS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
