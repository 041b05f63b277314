"""``elman bench``: this package's layer and runtime beside other libraries, checked and timed in alternating rounds.

A contender is a file of ``peers``, which runs in processes of its own, one for each number of threads
(``_worker``, ``_process``). A case is a shape and a kind of work (``_cases``); its numbers are drawn and its right
results computed once, in float64 (``_problem``). ``_measuring`` asks the processes in turn, ``_report`` holds what they
answered, ``_table`` and ``_plot`` show it.
"""
