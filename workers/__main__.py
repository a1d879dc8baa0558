"""`python -P -m workers`: one worker process, told by its supervisor who it is. Not for people."""

import sys

from workers.main import main

if __name__ == "__main__":
    sys.exit(main())
