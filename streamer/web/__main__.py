"""``python -m streamer.web``: the web process, or with ``--number`` a front process."""

import sys

from streamer.starting import quick_imports

# engineio's client takes requests, structlog's console rich: this process has use for neither.
with quick_imports("requests", "rich"):
    if "--number" in sys.argv:
        from streamer.web.front import main
    else:
        from streamer.web.process import main

sys.exit(main())
