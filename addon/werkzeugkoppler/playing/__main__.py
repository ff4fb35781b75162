"""`python -m werkzeugkoppler.playing replay|fork`: a saved turn played again, or gone on from."""

import sys

from werkzeugkoppler.playing.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
