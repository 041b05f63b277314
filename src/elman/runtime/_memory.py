"""The engine's working memory."""

from elman import _engine

__all__ = ["release_memory"]


def release_memory() -> None:
    """Give back the working memory that the engine keeps between calls, that of all threads, the layers' too.

    Threads keep it because fresh memory costs more than small calls do; all together never more than 256 MiB. It may be
    given back at any time: a thread that is inside a call gives back its own when that ends, and later calls take new
    memory. Results, networks and streams are not touched.
    """
    _engine.release_memory()
