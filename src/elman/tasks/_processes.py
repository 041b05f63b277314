"""Training over several processes, as torchrun starts them."""

import os

__all__ = ["is_main_process", "process_count"]


def is_main_process() -> bool:
    """Return whether this process is the one that speaks and writes."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))
