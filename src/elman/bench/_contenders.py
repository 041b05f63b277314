"""Who takes part."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from elman._errors import OptionError, either
from elman.bench._own import Own

__all__ = ["NAMES", "OURS", "PEERS", "Contender", "ours_of", "peers_of"]


class Contender(NamedTuple):
    """Something that runs a recurrent layer.

    Attributes:
        name: as it is called on the command line and in tables.
        module: the file with its functions ``inference``, ``training`` and ``step``, those that it can do: each takes
            a problem and a number of threads, and yields variants.
        packages: what is to be installed.
        native: it is called as from C++: without autograd, and without what a call from Python costs.
        patience: seconds for an answer.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    native: bool = False
    patience: int = 300  # a compilation may take a while

    def missing(self) -> str | None:
        """Say what is to be installed; None if nothing is."""
        return f"pip install {' '.join(self.packages)}" if None in self.versions().values() else None

    def versions(self) -> dict[str, str | None]:
        """Return the versions of its packages, None of those that are not installed."""
        return {package: _version(package) for package in self.packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _known(name: str, *packages: str, native: bool = False) -> Contender:
    return Contender(name, f"elman.bench.peers.{name.replace(' ', '_')}", packages, native)


OURS = (
    _known("elman layer", "torch"),
    _known("elman runtime", "numpy"),
    _known("elman engine", "numpy", native=True),
)
PEERS = (
    _known("torch", "torch"),
    _known("jax", "jax"),
    _known("onnxruntime", "onnxruntime", "onnx"),
    _known("openvino", "openvino", "onnx"),
    _known("numba", "numba", "scipy"),
    _known("onednn", "onednn-cpu-gomp", "onednn-devel-cpu-gomp", native=True),
)

# Of a cell of the user's own.
OWN_LAYER = Contender("elman layer", "elman.bench.peers.own_layer", ("torch",))
OWN_RUNTIME = Contender("elman runtime", "elman.bench.peers.own_runtime", ("numpy",))
OWN_PEERS = (
    Contender("torch", "elman.bench.peers.own_torch", ("torch",)),
    Contender("torch.compile", "elman.bench.peers.own_compile", ("torch",), patience=240),
    Contender("jax", "elman.bench.peers.own_jax", ("jax",)),
)
NAMES = list(dict.fromkeys(each.name for each in (*OURS, *PEERS[:1], *OWN_PEERS, *PEERS)))  # as in tables and pictures


def ours_of(own: Own | None) -> tuple[Contender, ...]:
    """Return ours, the layer first; the runtime only runs cells that are given nothing for a step or sequence."""
    if not own:
        return OURS
    return (OWN_LAYER, OWN_RUNTIME) if {*own.program.inputs.values()} <= {"unit"} else (OWN_LAYER,)


def peers_of(names: list[str], own: Own | None = None) -> list[Contender]:
    """Return the peers of these names, all of them if there are none.

    Raises:
        OptionError: there is no such peer.
    """
    peers = OWN_PEERS if own else PEERS
    known = {peer.name: peer for peer in peers}
    for name in names:
        if name not in known:
            raise OptionError("peer", either(known), name)
    return [peer for peer in peers if peer.name in (names or known)]
