"""`python -m tachograph.harness` is the command `tachograph`."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
