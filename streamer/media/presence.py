"""Whether media come in, and since when. Pure; media times in UTC milliseconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SourcePresence:
    up: bool = False
    since_ms: int | None = None
    """The time when media came; None while none come."""
    stopped_ms: int | None = None
    """The time of the last packet; None while packets come, and before the first."""
    _heard_ms: int | None = None

    def note(self, heard_ms: int | None) -> None:
        """``heard_ms``: the time of the newest packet; None if none come any more."""
        if heard_ms is not None:
            if not self.up:
                self.up, self.since_ms, self.stopped_ms = True, heard_ms, None
            self._heard_ms = heard_ms
        elif self.up:
            self.up, self.since_ms, self.stopped_ms = False, None, self._heard_ms
