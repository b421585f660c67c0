"""``python -m streamer.web``."""

import sys

from streamer.web.process import main

sys.exit(main())
