"""What mitmproxy loads: `mitmdump --mode reverse:UPSTREAM@127.0.0.1:8080 -s addon/main.py`."""

from werkzeugkoppler.proxy import Werkzeugkoppler

addons = [Werkzeugkoppler()]
