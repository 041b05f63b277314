"""Says what it finds when it is imported."""

import os

NAMES = ("OMP_NUM_THREADS", "NPROC", "OMP_WAIT_POLICY")
raise ValueError(" ".join(f"{name}={os.environ.get(name)}" for name in NAMES))
