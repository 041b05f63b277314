"""Trained models on NumPy and the engine alone: whole sequences, or one step at a time, to the same bits."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elman.runtime import _threads  # noqa: F401  (takes ELMAN_NUM_THREADS)
from elman.runtime._rnn import GRU, LSTM, RNN
from elman.runtime._stream import Stream

if TYPE_CHECKING:
    from elman.runtime._classifiers.sequences import SequenceClassifier
    from elman.runtime._classifiers.text import TextClassifier
    from elman.runtime._classifiers.text_stream import TextStream
    from elman.runtime._forecaster.forecaster import Forecast, Forecaster
    from elman.runtime._keras import from_keras
    from elman.runtime._language.model import LanguageModel
    from elman.runtime._language.stream import LanguageStream
    from elman.runtime._onnx.from_onnx import from_onnx
    from elman.runtime._onnx.to_onnx import export
    from elman.runtime._own import Recurrent
    from elman.runtime._tagger.tagger import SequenceTagger
    from elman.runtime._trace.trace import Trace

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Forecast",
    "Forecaster",
    "LanguageModel",
    "LanguageStream",
    "Recurrent",
    "SequenceClassifier",
    "SequenceTagger",
    "Stream",
    "TextClassifier",
    "TextStream",
    "Trace",
    "export",
    "from_keras",
    "from_onnx",
]

# Imported when first asked for: together they take longer than all the rest.
_LATER = {
    "Forecast": "_forecaster.forecaster",
    "Forecaster": "_forecaster.forecaster",
    "LanguageModel": "_language.model",
    "LanguageStream": "_language.stream",
    "Recurrent": "_own",
    "SequenceClassifier": "_classifiers.sequences",
    "SequenceTagger": "_tagger.tagger",
    "TextClassifier": "_classifiers.text",
    "TextStream": "_classifiers.text_stream",
    "Trace": "_trace.trace",
    "export": "_onnx.to_onnx",
    "from_keras": "_keras",
    "from_onnx": "_onnx.from_onnx",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
