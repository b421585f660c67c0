"""The start of a room's relay process: ``python -m streamer.room.relay_process --fd N --room ID --settings FILE``."""

import sys

from streamer.starting import quick_imports

# For structlog's console, which is not ours.
with quick_imports("rich"):
    from streamer.room.relay_server import main

if __name__ == "__main__":
    sys.exit(main())
