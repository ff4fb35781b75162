"""`python -m werkzeugkoppler.doctor`: the doctor without loading mitmproxy, which takes a second."""

import sys

from werkzeugkoppler.doctor.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
