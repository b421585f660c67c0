"""What a room process is told to do: the director's answer, as one value. Pure.

Orders are a state, not steps: a room process that is told the same twice does nothing, one that was restarted takes
up the last that it was told, and the web plane may send them again at any time.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Shows = Literal["programme", "slate", "picture_muted"]
"""``picture_muted``: the programme's pictures with silence."""


class OutputOrder(msgspec.Struct, frozen=True):
    """An output besides the public one: a closed session's. One that is no longer named is closed."""

    name: str
    shows: Shows = "programme"


class Withheld(msgspec.Struct, frozen=True):
    """A stretch of media time that turned out to be of a session that must not be seen or kept there (a tap that was
    meant for earlier, an answer, another visibility), or that was left out of a replay. Where the programme was not
    shown or kept in it anyhow, there is nothing to do; so it may be ordered for every such session, and again."""

    from_ms: int
    to_ms: int | None = None
    """None: until the order arrives; what comes after that is as the other orders say."""
    output: str = ""
    """The one output that goes on listing it: the session's own."""
    erase: bool = False
    """It is to be gone from everywhere, from the disk too; else it leaves the windows and is kept for the replay."""
    exact: bool = False
    """However short it is: somebody chose it. Else what is left of it for a moment, as an order arrives late, stays."""


class SlateOrder(msgspec.Struct, frozen=True):
    """What the slate says."""

    title: str = ""
    text: str = ""
    until_ms: int | None = None
    """A time it counts down to."""
    logos: tuple[str, ...] = ()
    """Files of partners' logos in the data folder, at most six."""


class RoomOrders(msgspec.Struct, frozen=True):
    """The default is a room that nobody has given orders for: the slate, and nothing is recorded. All fields travel,
    defaults too: a reader that has other ones still obeys what was meant."""

    public: Shows = "slate"
    outputs: tuple[OutputOrder, ...] = ()
    record: bool = False
    """False: parts stay in memory, outputs list no more than is there, and the DVR window is cut where this changes."""
    stretch: str = ""
    """Names what the programme belongs to; a new one begins new media files, so that the minutes of a closed session
    share no file with others."""
    keep_from_ms: int | None = None
    """Programme from this media time on belongs to a session; what is older than 35 minutes and not kept is deleted."""
    source: str | None = None
    """The source to take; None: ``main``, with ``spare`` behind it."""
    gain_db: float = 0.0
    slate: SlateOrder = SlateOrder()
    withheld: tuple[Withheld, ...] = ()
