"""`python -m model_runtime` is `fim-runtime`."""

import sys

from model_runtime.cli import main

sys.exit(main())
