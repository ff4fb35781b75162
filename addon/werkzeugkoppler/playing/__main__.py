"""`python -m werkzeugkoppler.playing replay|fork`: a saved turn played again, or gone on from."""

import sys


def run() -> int:
    """The command; Ctrl-C ends it silently in the first seconds, too."""
    try:
        from werkzeugkoppler.playing.command import main

        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
