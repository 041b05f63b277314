"""``python -m elman``, the command line: what torchrun starts."""

import sys

from elman.cli import main

sys.exit(main())
