"""``python -m licgate``."""

import sys

from licgate.cli import main

if __name__ == "__main__":
    sys.exit(main())
