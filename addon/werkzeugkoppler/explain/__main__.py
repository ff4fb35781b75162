"""`python -m werkzeugkoppler.explain`: a dry run, without loading mitmproxy, which takes a second."""

import sys

from werkzeugkoppler.explain.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
