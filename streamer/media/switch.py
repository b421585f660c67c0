"""Chooses the source of the programme. Pure: time is an argument, in nanoseconds.

``main`` (or the source that a person took) while its packets come; else ``spare`` if it is up; else the slate.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streamer.broadcast.programme import MAIN, SLATE, SPARE
from streamer.formats.types import AccessUnit
from streamer.media.incoming import IncomingUnit

NS = 1_000_000_000
STANDBY_NS = 3 * NS
"""The kept length of a standby source, so that its take can begin in the past."""
STANDBY_BYTES = 16 * 1024 * 1024
SOUND_ONLY_NS = 3 * NS // 2
"""A source without a picture, or without sound, for this long has only the other."""
SUSPICION_NS = NS // 5
"""After this silence the standby source is asked for a key frame."""


@dataclass(slots=True)
class SourceState:
    """One source in the switch."""

    name: str
    codec: str = ""
    video_ns: int = 0
    """The arrival of the last picture; 0: none yet."""
    audio_ns: int = 0
    connected: bool = False
    seen_ns: int = 0
    """The arrival of the first packet since the source came up, or came back after a silence."""
    standby: deque[IncomingUnit] = field(default_factory=deque)
    """Pictures and sounds since the newest IDR while the source is not on the programme."""
    standby_bytes: int = 0

    @property
    def last_ns(self) -> int:
        return max(self.video_ns, self.audio_ns)

    def heard(self, unit: AccessUnit, *, silence_ns: int = NS) -> None:
        if not self.seen_ns or unit.arrival_ns - self.last_ns > silence_ns:
            self.seen_ns = unit.arrival_ns
        if unit.kind == "video":
            self.video_ns = unit.arrival_ns
            self.codec = unit.codec
        else:
            self.audio_ns = unit.arrival_ns

    def can_begin_after(self, since_ns: int) -> bool:
        """Whether it holds a key frame that came at ``since_ns`` or later."""
        return any(i.idr and i.unit.arrival_ns >= since_ns for i in self.standby)

    def keep(self, incoming: IncomingUnit, *, since_ns: int | None = None) -> None:
        """Hold a unit of a standby source; an IDR drops the pictures before it.

        ``since_ns``: the source on the programme is silent since then. The first key frame after it stays, because this
        source would take over there.
        """
        now_ns = incoming.unit.arrival_ns
        if incoming.idr and not (since_ns is not None and self.can_begin_after(since_ns)):
            # The sound of the last moments stays: it may belong to pictures after this IDR.
            recent = [i for i in self.standby if not i.is_video and now_ns - i.unit.arrival_ns < NS]
            self.drop_standby()
            self.standby.extend(recent)
            self.standby_bytes = sum(len(i.unit.data) for i in recent)
        self.standby.append(incoming)
        self.standby_bytes += len(incoming.unit.data)
        while self.standby and (
            self.standby_bytes > STANDBY_BYTES or now_ns - self.standby[0].unit.arrival_ns > STANDBY_NS
        ):
            self.standby_bytes -= len(self.standby.popleft().unit.data)

    def drop_standby(self) -> None:
        self.standby.clear()
        self.standby_bytes = 0

    def gone(self) -> None:
        self.connected = False
        self.video_ns = self.audio_ns = self.seen_ns = 0
        self.drop_standby()


@dataclass(slots=True)
class SourceSwitch:
    """The sources of a room and the rule that chooses among them."""

    silence_ns: int
    preferred: str = MAIN
    """The source that a person took, else ``main``; ``slate`` shows the slate."""
    sources: dict[str, SourceState] = field(default_factory=dict)

    def source(self, name: str) -> SourceState:
        state = self.sources.get(name)
        if state is None:
            state = self.sources[name] = SourceState(name)
        return state

    def up(self, name: str, now_ns: int) -> bool:
        """Whether the source sends: a picture, or sound without one."""
        state = self.sources.get(name)
        if not state or not state.connected or not state.last_ns or now_ns - state.last_ns >= self.silence_ns:
            return False
        return self.picture_up(name, now_ns) or self.outlasts_picture(name)

    def outlasts_picture(self, name: str) -> bool:
        """Whether the sound went on so long after the last picture that both did not end together: the last packet of a
        camera that is cut off is mostly one of sound."""
        state = self.sources.get(name)
        return bool(state and state.audio_ns - state.video_ns > self.silence_ns // 2)

    def picture_up(self, name: str, now_ns: int) -> bool:
        state = self.sources.get(name)
        return bool(state and state.connected and state.video_ns and now_ns - state.video_ns < self.silence_ns)

    def heard_ns(self, now_ns: int) -> int | None:
        """The arrival of the newest packet of a source that may be on the programme; None if none comes now."""
        newest = 0
        for name in (self.preferred, MAIN, SPARE):
            state = self.sources.get(name)
            if state is not None and state.connected:
                newest = max(newest, state.last_ns)
        return newest if newest and now_ns - newest < self.silence_ns else None

    def wanted(self, now_ns: int) -> str:
        """The source that should be on the programme now, or ``slate``."""
        if self.preferred == SLATE:
            return SLATE
        for name in (self.preferred, SPARE):
            if self.up(name, now_ns):
                return name
        return SLATE

    def silent(self, name: str, now_ns: int) -> bool:
        """Whether its last packet is so old that the standby source should prepare."""
        state = self.sources.get(name)
        return bool(state and now_ns - state.last_ns > SUSPICION_NS)
