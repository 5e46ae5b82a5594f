"""`python -m wct` is the command `wct`."""

from __future__ import annotations

import sys

from wct.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
