"""The director's orders to a room process, as one value. Pure.

Orders are a state, not steps: the same orders a second time change nothing, a restarted room process continues with the
last ones, and the web plane may send them again at any time.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Shows = Literal["programme", "slate", "picture_muted"]
"""``picture_muted``: the programme's pictures with silence."""


class OutputOrder(msgspec.Struct, frozen=True):
    """An output besides the public one: a closed session's. An output that is no longer named is closed."""

    name: str
    shows: Shows = "programme"


class Withheld(msgspec.Struct, frozen=True):
    """A stretch of media time that belongs to a session that must not be seen or kept there (a late action, an answer,
    another visibility), or that was left out of a replay. If the programme was not shown or kept there anyhow, nothing
    happens. So it may be ordered for every such session, and repeatedly."""

    from_ms: int
    to_ms: int | None = None
    """None: until the order arrives; after that the other orders hold."""
    output: str = ""
    """The output that goes on listing the stretch: the session's own."""
    erase: bool = False
    """True: it is deleted everywhere, from the disk too. False: it leaves the windows and is kept for the replay."""
    exact: bool = False
    """True: the stretch was chosen by a person and may be as short as it is. False: a remainder that is only as long as
    an order takes to arrive may stay."""


class SlateOrder(msgspec.Struct, frozen=True):
    """The texts of the slate."""

    title: str = ""
    text: str = ""
    until_ms: int | None = None
    """The time to which it counts down."""
    logos: tuple[str, ...] = ()
    """Files of partners' logos in the data folder, at most six."""
    colours: tuple[str, ...] = ()
    """``#rrggbb``: of the accent, and of the background at the top and at the foot; empty: the slate's own."""


class SourceOrder(msgspec.Struct, frozen=True):
    """The treatment of one source's sound, in every output."""

    name: str
    gain_db: float = 0.0
    mute: bool = False
    mono: bool = False
    """Both channels get the mean of the two."""
    level: bool = False
    """Voices are brought to -18 LUFS; ``gain_db`` comes on top of it."""

    @property
    def may_change_sound(self) -> bool:
        return self.mute or self.mono or self.level or self.gain_db != 0


class RoomOrders(msgspec.Struct, frozen=True):
    """The default is a room without orders: the slate, and no recording. All fields travel, defaults too, so that a
    reader with other defaults still does what was meant."""

    public: Shows = "slate"
    outputs: tuple[OutputOrder, ...] = ()
    record: bool = False
    """False: parts stay in memory, outputs list only parts in memory, and the DVR window is cut where this changes."""
    stretch: str = ""
    """Names the owner of the programme. A new name begins new media files, so that a closed session's minutes share no
    file with others."""
    keep_from_ms: int | None = None
    """Programme from this media time on belongs to a session. Older programme that is not kept is deleted after 35
    minutes."""
    source: str | None = None
    """The source to take; None: ``main``, with ``spare`` behind it."""
    gain_db: float = 0.0
    """The gain of the source that is taken, for a room that does not know ``sources``."""
    slate: SlateOrder = SlateOrder()
    withheld: tuple[Withheld, ...] = ()
    slate_from_ms: int | None = None
    """From this time of the machine's clock on, UTC milliseconds, the public output shows the slate: then a session
    begins that must not be seen. The room keeps it by itself, should the director be late or away."""
    sources: tuple[SourceOrder, ...] | None = None
    """The sources whose sound is to change; others pass as they come. None, from a director of before: ``gain_db``
    holds for every source."""

    levelling: bool = False
    """Voices are brought to -18 LUFS, in all sources but these."""
    not_levelled: tuple[str, ...] = ()

    def of_source(self, name: str) -> SourceOrder:
        if self.sources is None:
            return SourceOrder(name, self.gain_db)
        found = next((one for one in self.sources if one.name == name), SourceOrder(name))
        return msgspec.structs.replace(found, level=self.levelling and name not in self.not_levelled)
