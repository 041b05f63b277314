"""Leave the cores to who is timed next."""

import time

__all__ = ["settle"]

PAUSE, LITTLE = 0.001, 0.0003  # seconds


def settle(limit: float = 0.5) -> None:
    """Wait until this process's threads are asleep: many spin for a while, and would take the next one's cores."""
    until = time.perf_counter() + limit
    busy = True
    while busy and time.perf_counter() < until:
        before = time.process_time()  # of all threads
        time.sleep(PAUSE)
        busy = time.process_time() - before > LITTLE
