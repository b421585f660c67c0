"""The promises of orders, checked against the output of a simulated room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from streamer.broadcast.media_events import (
    PRIVATE_PREFIX,
    PROGRAMME_OUTPUT,
    PUBLIC,
    IntervalOpened,
    PartMade,
    StillMade,
)
from streamer.broadcast.orders import RoomOrders
from streamer.broadcast.programme import TICKS_PER_MS
from streamer.media.audio import OPUS_SILENCE
from tests.fakes.simulated_room import Room, Shown, faults
from tests.fakes.simulated_workers import START_CODE, Tag

END = 1 << 60
KEY = "~Zk3pT9"
"""The output of a closed session."""
AHEAD_TICKS = 12_000
"""A take that begins behind a slate may be laid a little ahead of its arrival."""
SOUND_S = 0.03
"""Sound goes on to the end of the frame that stands at the end of the last picture."""


@dataclass(frozen=True)
class Stretch:
    start: int
    """Tick of the order."""
    end: int
    end_s: float
    """The loop's time of the next one."""
    orders: RoomOrders

    def shows(self, output: str) -> str:
        if output == PUBLIC:
            return self.orders.public
        return next((order.shows for order in self.orders.outputs if order.name == output), "")


def stretches(room: Room) -> list[Stretch]:
    """The orders that held, and from when to when."""
    orders = [(0, room.told), *room.orders]
    ends = [(at, s) for (at, _), s in zip(orders[1:], room.ordered_s, strict=True)] + [(END, 1e9)]
    given = [Stretch(at, *end, what) for (at, what), end in zip(orders, ends, strict=True)]
    return [part for stretch in given for part in _in_time(room, stretch) if part.end > part.start]


def _in_time(room: Room, given: Stretch) -> list[Stretch]:
    """Before and after the time from which the orders want the slate."""
    from_ms = given.orders.slate_from_ms
    if from_ms is None:
        return [given]
    assert room.mirror is not None
    assert room.mirror.view.broadcast is not None
    tick = max(given.start, (from_ms - room.mirror.view.broadcast.epoch_ms) * TICKS_PER_MS)
    if tick >= given.end:
        return [given]
    slate = replace(given.orders, public="slate")
    return [
        Stretch(given.start, tick, (from_ms - room.zero_ms) / 1000, given.orders),
        Stretch(tick, given.end, given.end_s, slate),
    ]


@dataclass(frozen=True)
class Watch:
    """The allowed readers of each stretch."""

    held: list[Stretch]

    def picture(self, output: str, start: int, tag: Tag) -> bool:
        """Whether it lies after the order to show and was taken before the order not to."""
        return any(
            s.start <= start and tag.capture_us / 1e6 <= s.end_s
            for s in self.held
            if s.shows(output) in ("programme", "picture_muted")
        )

    def sound(self, output: str, start: int, capture_s: float | None) -> bool:
        return any(
            s.start <= start and (start < s.end + AHEAD_TICKS if capture_s is None else capture_s <= s.end_s + SOUND_S)
            for s in self.held
            if s.shows(output) == "programme"
        )


def captured_s(sound: bytes) -> float | None:
    """The loop's time when a frame of the simulation's sound was taken; None at a seam of two."""
    return int(sound.rsplit(b"|", 1)[1]) / 1e6 + 1000 if b"|" in sound else None


def camera_samples(room: Room, output: str) -> Iterator[tuple[str, Shown]]:
    """Pictures and sounds of sources, not of slates, that the output ever listed."""
    for rendition in room.renditions:
        for sample in room.shown(rendition, output):
            if rendition.startswith("a"):
                if sample.data.startswith((b"sound|", b"mixed")):
                    yield rendition, sample
            elif is_camera(sample.tag):
                yield rendition, sample


def is_camera(tag: Tag) -> bool:
    return not tag.source.startswith(("slate", "sound_only", "black"))


def breaches(room: Room) -> list[str]:
    """Samples, stills, relayed frames and files that the orders did not allow."""
    found: list[str] = []
    assert room.mirror is not None
    held = stretches(room)
    watch = Watch(held)
    for output in room.mirror.outputs:
        if output == PROGRAMME_OUTPUT:
            continue
        for rendition, sample in camera_samples(room, output):
            if rendition.startswith("a"):
                allowed = watch.sound(output, sample.start, captured_s(sample.data))
            else:
                allowed = watch.picture(output, sample.start, sample.tag)
            if not allowed:
                found.append(f"{output} {rendition} {sample.msn}: a sample of {sample.start}")
    broadcast = room.mirror.view.broadcast
    assert broadcast is not None
    for event in room.mirror.events:
        if isinstance(event, StillMade) and not event.jpeg.startswith((b"slate", b"sound_only")):
            # A picture between two milliseconds.
            at = (event.at_ms - broadcast.epoch_ms + 1) * TICKS_PER_MS
            if event.output == PROGRAMME_OUTPUT or not watch.picture(event.output, at, Tag.unpack(event.jpeg)):
                found.append(f"{event.output}: a still of {at}")
        if isinstance(event, IntervalOpened) and event.interval.public != (event.output == PUBLIC):
            found.append(f"{event.output}: an interval that is {event.interval.public}")
    for start, data, _ in room.relayed:
        tag = Tag.unpack(data.rsplit(START_CODE, 1)[1])
        if is_camera(tag) and not watch.picture(PUBLIC, start, tag):
            found.append(f"a relayed picture of {start}")
    for start, packet in room.relayed_sound:
        if packet != OPUS_SILENCE and not watch.sound(PUBLIC, start, captured_s(packet)):
            found.append(f"relayed sound of {start}")
    found += unrecorded_on_disk(room, held)
    found += still_listed(room)
    return found


def unrecorded_on_disk(room: Room, held: list[Stretch]) -> list[str]:
    assert room.mirror is not None
    found = []
    for output, listed in room.mirror.outputs.items():
        for (rendition, msn), parts in listed.parts.items():
            for event in parts:
                start, end = event.part.start, event.part.start + event.part.duration
                secret = any(s.start < end and start < s.end and not s.orders.record for s in held)
                surely = any(s.start + AHEAD_TICKS < end and start < s.end and not s.orders.record for s in held)
                if surely and event.part.chunk.file:
                    found.append(f"{output} {rendition} {msn}: {start} is in {event.part.chunk.file}")
                if not secret and not event.part.chunk.file:
                    found.append(f"{output} {rendition} {msn}: {start} is nowhere on disk")
    return found


def still_listed(room: Room) -> list[str]:
    """Forgotten segments that are still listed, except slates."""
    assert room.mirror is not None
    found = []
    for output in room.mirror.view.outputs.values():
        for name, track in output.tracks.items():
            for segment in track.segments.values():
                for part in segment.parts:
                    end = part.start + part.duration
                    if any(part.start < until and end > begin for begin, until in room.forgotten) and not is_slate(
                        room, part.chunk.file, part.chunk.offset
                    ):
                        found.append(f"{output.name} {name} {segment.msn}: {part.start} was to be forgotten")
    return found


def is_slate(room: Room, file: str, offset: int) -> bool:
    """Whether nothing of a source's is in the bytes there."""
    assert room.mirror is not None
    data = room.mirror.bytes[(file, offset)]
    return not any(mark in data for mark in (b"sound|", b"mixed", b"main|", b"spare|"))


def missing(room: Room) -> list[str]:
    """Pictures of sources that an output showed and the programme does not hold."""
    assert room.mirror is not None
    found = []
    for rendition in room.pictures:
        whole = {(s.start, s.data) for s in room.shown(rendition, PROGRAMME_OUTPUT)}
        for output in room.mirror.outputs:
            if output == PUBLIC or output.startswith(PRIVATE_PREFIX):
                for sample in room.shown(rendition, output):
                    if is_camera(sample.tag) and (sample.start, sample.data) not in whole:
                        found.append(f"{output} {rendition}: {sample.start} is not in the programme")
    return found


def doubled_bytes(room: Room) -> int:
    """Bytes of media that were sent more than once."""
    assert room.mirror is not None
    told = [e for e in room.mirror.events if isinstance(e, PartMade) and e.data]
    return sum(len(e.data) for e in told) - sum(len(data) for data in room.mirror.bytes.values())


def checked(room: Room) -> Room:
    assert faults(room) == []
    assert breaches(room) == []
    assert missing(room) == []
    assert doubled_bytes(room) == 0
    return room


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def names(room: Room, output: str = PUBLIC) -> list[str]:
    return [name for name, _, _ in room.runs(output=output)]


def first_msn(room: Room, output: str = PUBLIC) -> int:
    assert room.mirror is not None
    return room.mirror.view.outputs[output].first_msn
