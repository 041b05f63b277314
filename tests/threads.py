"""Threads of a test, whose failures are the test's."""

import threading
from collections.abc import Callable


def run_in_threads(count: int, work: Callable[[int], object]) -> None:
    """Call ``work`` with each number below ``count``, all at once, and raise what the first failure raised."""
    start, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            start.wait(60)
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
