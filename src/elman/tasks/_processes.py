"""Training over several processes, as torchrun starts them."""

import os

__all__ = ["is_main_process", "leave", "process_count"]


def is_main_process() -> bool:
    """Return whether this process is the one that speaks and writes."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leave() -> None:
    """Let processes that have trained together end one with the other; without it some end with an abort."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
