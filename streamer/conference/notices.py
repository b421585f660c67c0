"""What was noticed at the doors and belongs into somebody's alarm list. No I/O; used on one loop."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

KEEP_MS = 10 * 60_000
MAX_NOTICES = 200


@dataclass(frozen=True, slots=True)
class WrongRoom:
    """A valid key was used to publish in a room that is not its own. Times are UTC milliseconds."""

    room: str
    """Where it was used."""
    own_room: str | None
    """Where it belongs: None for a key of a venue, or of several rooms."""
    own_venue: str | None
    grant: str
    label: str
    source: str
    at_ms: int
    """The last time."""
    count: int = 1


class Notices:
    """At most ``limit`` of them, each forgotten ten minutes after its last time. Encoders try again every few seconds,
    so the same key in the same room is one notice."""

    def __init__(self, limit: int = MAX_NOTICES) -> None:
        self._limit = limit
        self._wrong: OrderedDict[tuple[str, str], WrongRoom] = OrderedDict()

    def wrong_room(self, notice: WrongRoom) -> None:
        key = (notice.grant, notice.room)
        known = self._wrong.pop(key, None)
        count = 1 if known is None else known.count + 1
        self._wrong[key] = WrongRoom(
            notice.room,
            notice.own_room,
            notice.own_venue,
            notice.grant,
            notice.label,
            notice.source,
            notice.at_ms,
            count,
        )
        while len(self._wrong) > self._limit:
            self._wrong.popitem(last=False)

    def settle(self, grant: str) -> None:
        """The key has found its room."""
        for key in [key for key in self._wrong if key[0] == grant]:
            del self._wrong[key]

    def wrong_rooms(self, now_ms: int) -> tuple[WrongRoom, ...]:
        """What was noticed in the last ten minutes, oldest first."""
        for key, notice in list(self._wrong.items()):
            if now_ms - notice.at_ms >= KEEP_MS:
                del self._wrong[key]
        return tuple(self._wrong.values())
