"""``python -m streamer.web``."""

import gc
import sys

# Nothing of what the imports make is garbage: looking for some takes an eighth of the start.
gc.disable()
from streamer.web.process import main  # noqa: E402

gc.freeze()
gc.enable()
sys.exit(main())
