"""``python -P -m kit_runtime SERVER [ARGUMENTS]``: the entry point of every image."""

import sys

from .boot import main

if __name__ == "__main__":
    main(sys.argv[1:])
