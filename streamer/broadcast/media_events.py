"""The messages of the data socket: a room process tells of its broadcast.

Pure values. The first message on a socket is a :class:`Snapshot`, then the bytes that are still in memory,
then events in order. ``seq`` grows by one per event and is stamped by the sender.
"""

from __future__ import annotations

import msgspec

from streamer.broadcast.programme import Broadcast, InitSection, Interval, Part, Segment

PUBLIC = "public"
"""The name of the output that everybody may see."""
PREVIEW = "preview"
"""The name of the output in the crew's offers: one source as it comes in."""
PROGRAMME_OUTPUT = "programme"
"""The output with everything that the programme made, whoever might see it. No client may ask for it; replays are cut
from it."""
PRIVATE_PREFIX = "~"
"""The first character of the name of an unlisted or private session's output
(:func:`streamer.conference.spans.output_name`)."""


class Sequenced(msgspec.Struct, kw_only=True):
    seq: int = 0


class Snapshot(Sequenced, tag="snapshot"):
    """The first message on a data socket. ``outputs`` maps output -> rendition -> segments, oldest first."""

    broadcast: Broadcast | None
    inits: list[InitSection] = []
    outputs: dict[str, dict[str, list[Segment]]] = {}
    intervals: dict[str, list[Interval]] = {}
    discontinuity_sequence: dict[str, int] = {}
    """Output -> discontinuities that left the window (EXT-X-DISCONTINUITY-SEQUENCE)."""
    window_start: dict[str, int] = {}
    """Output -> first msn of its DVR window."""
    dvr_window_s: int = 7200
    stills: dict[str, StillMade] = {}
    """Output -> its newest still."""
    closed: bool = False
    closed_outputs: list[str] = []
    """Outputs that are over while the broadcast goes on."""


class PartBytes(Sequenced, tag="bytes"):
    """Bytes of a part in the ring; follows the snapshot for each part still in memory."""

    file: str
    offset: int
    data: bytes


class Opened(Sequenced, tag="opened"):
    broadcast: Broadcast


class InitMade(Sequenced, tag="init"):
    init: InitSection


class IntervalOpened(Sequenced, tag="interval"):
    output: str
    interval: Interval


class SegmentOpened(Sequenced, tag="segment"):
    """A segment of one rendition begins; it has no parts yet."""

    output: str
    rendition: str
    segment: Segment


class PartMade(Sequenced, tag="part"):
    """The next part of the newest segment of a rendition. ``data`` is empty if another output had the same chunk
    before, with its bytes."""

    output: str
    rendition: str
    msn: int
    index: int
    part: Part
    data: bytes


class SegmentDone(Sequenced, tag="done"):
    """No more parts will come for this segment of this rendition."""

    output: str
    rendition: str
    msn: int


class Trimmed(Sequenced, tag="trimmed"):
    """The output's window now begins at ``first_msn``; earlier segments are gone."""

    output: str
    first_msn: int
    discontinuity_sequence: int
    withdrawn: bool = False
    """They left before their time: nobody may serve them any more, caches neither."""


class StillMade(Sequenced, tag="still"):
    """A recent JPEG of an output."""

    output: str
    at_ms: int
    jpeg: bytes


class OutputClosed(Sequenced, tag="output_closed"):
    """This output is over (EXT-X-ENDLIST), the broadcast goes on. A new interval opens it again."""

    output: str


class OutputGone(Sequenced, tag="output_gone"):
    """The output lists nothing any more."""

    output: str


class Forgotten(Sequenced, tag="forgotten"):
    """The segments ``first_msn`` to ``last_msn`` of the output must be forgotten: every reader drops their bytes. In
    the output ``programme`` they are gaps from now on; from the others a following ``Trimmed`` removes them. A still of
    that stretch is gone, too."""

    output: str
    from_tick: int
    to_tick: int
    first_msn: int
    last_msn: int
    """Less than ``first_msn``: the output lists no part of it."""


class Closed(Sequenced, tag="closed"):
    """The broadcast is over (EXT-X-ENDLIST)."""


MediaEvent = (
    Snapshot
    | PartBytes
    | Opened
    | InitMade
    | IntervalOpened
    | SegmentOpened
    | PartMade
    | SegmentDone
    | Trimmed
    | StillMade
    | OutputClosed
    | OutputGone
    | Forgotten
    | Closed
)
