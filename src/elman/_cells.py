"""The cells that a recurrent network may have: one row each, read by whatever has to tell them apart.

A new cell is a row here, a file of mathematics in the engine and a function in ``elman.reference``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """What there is to know of a cell besides its mathematics.

    Args:
        name: as options and files say it.
        title: of the classes ``torch.nn.RNN`` and ``RNNCell``, ``elman.nn``'s and the runtime's, of ONNX's operator.
        gates: a letter each, in PyTorch's order: blocks of hidden_size rows in the weights and the biases.
        apart: the gates that take W_ih x + b_ih and W_hh h + b_hh apart: their two biases have gradients of their own.
        states: a letter each; the first is the output and is fed back through ``weight_hh``.
        unit_inputs: names of what else a step is given for each unit.
        is_recurrent: whether there is a ``weight_hh``.
        modes: PyTorch's names for it, and the engine's cell for each.
        onnx_gates: the gates in ONNX's order.
        keras: the title of Keras's layer.
        keras_gates: the gates in Keras's order.
        onednn_gates: the gates in oneDNN's order.
    """

    name: str
    title: str
    gates: str = "h"
    apart: str = ""
    states: Sequence[str] = "h"
    unit_inputs: tuple[str, ...] = ()
    is_recurrent: bool = True
    modes: Mapping[str, str] = field(hash=False)
    onnx_gates: str = "h"
    keras: str
    keras_gates: str = "h"
    onednn_gates: str = "h"

    @property
    def kept(self) -> int:
        """Blocks of hidden_size that the engine keeps of a row for the backward pass, besides the output."""
        return len(self.gates) + len(self.apart) + len(self.states) - 1 if len(self.gates) > 1 else 0

    @property
    def named(self) -> str:
        """The title with its article: an RNN, a GRU, an LSTM."""
        is_spelt = self.title.isupper()
        return f"{'an' if self.title[0] in ('AEFHILMNORSX' if is_spelt else 'AEIOU') else 'a'} {self.title}"


FAMILIES = {
    family.name: family
    for family in (
        Family(name="rnn", title="RNN", modes={"RNN_TANH": "tanh", "RNN_RELU": "relu"}, keras="SimpleRNN"),
        Family(
            name="gru",
            title="GRU",
            gates="rzn",
            apart="n",
            modes={"GRU": "gru"},
            onnx_gates="zrn",
            keras="GRU",
            keras_gates="zrn",
            onednn_gates="zrn",
        ),
        Family(
            name="lstm",
            title="LSTM",
            gates="ifgo",
            states="hc",
            modes={"LSTM": "lstm"},
            onnx_gates="iofg",
            keras="LSTM",
            keras_gates="ifgo",
            onednn_gates="ifgo",
        ),
    )
}
