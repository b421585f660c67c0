"""``python -m streamer.web``."""

import sys

from streamer.starting import quick_imports

# engineio's client takes requests, structlog's console rich: this process has use for neither.
with quick_imports("requests", "rich"):
    from streamer.web.process import main

sys.exit(main())
