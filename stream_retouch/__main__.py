"""``python -m stream_retouch``: the same as the ``stream-retouch`` command."""

import sys

from stream_retouch.cli import main

if __name__ == "__main__":
    sys.exit(main())
