"""`python -m werkzeugkoppler.inspecting`: traces shown without loading mitmproxy, which takes a second."""

import sys

from werkzeugkoppler.inspecting.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
