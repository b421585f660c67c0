"""``python -m tests.fakes.lively_web``: a web process with the stand-in for its media plane; all else is real."""

import sys

from streamer.starting import quick_imports

with quick_imports("requests", "rich"):
    from streamer.web import application, process
    from tests.fakes.lively_plane import LivelyPlane

application.MediaPlaneClient = lambda settings, **_: LivelyPlane()  # type: ignore[assignment, misc]
sys.exit(process.main())
