"""``python -m streamer.host``."""

import sys

from streamer.starting import quick_imports

# For structlog's console, which is not ours.
with quick_imports("rich"):
    from streamer.host.media_host import main

sys.exit(main())
