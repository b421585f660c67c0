"""The cost of what the crew is told and shown, beside the rooms' own work: meters with the voice, troubles, pictures of
the wall. CPU time of this process for a 1080p camera with Opus, so that a busy machine changes little.

The web process's share, which passes pictures and meters on, is not in it. The wall's page is measured by
tests/bench/wall.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle, islice
from typing import TypeVar

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import VideoReformatter

from streamer.broadcast.troubles import SourceJudge
from streamer.media.audio import SoundDecoder
from streamer.media.decode import PictureDecoder
from streamer.media.picture_measures import PictureMeasurer
from streamer.media.sound_analysis import SoundAnalysis
from streamer.media.stills import crew_jpeg
from streamer.room.crew_pictures import KEYFRAME_AGE_MS
from streamer.room.media_watch import LOOK_MS
from tests.bench import wall
from tests.bench.source import HEIGHT, WIDTH, source_file

SOURCE_S = 4
TURNS = 10
"""The file's sound is heard so many times."""
MEASURES_S = 4
"""Pictures that a room measures a second."""
EVERY_S = 2.0
"""A page of the wall asks for each picture as often."""
WALL_ASKS_S = (KEYFRAME_AGE_MS + 100) / 1000
"""A source that makes no key frames by itself is asked for one as often for the wall,"""
ASKED_S = LOOK_MS / 1000
"""and as often whether or not anybody looks."""
SOUNDS = 2
"""A room listens to its programme's source and to one other."""
ROOMS = 10
ROOM_LIMIT, WALL_LIMIT = 0.03, 0.05
"""Of a core, beside decoding and rooms."""

Result = TypeVar("Result")


@dataclass
class Costs:
    """CPU seconds a second, of one room, of one sound and one picture."""

    decoding: float
    sound: float
    picture: float
    judging: float
    shown: float
    """A picture that the programme has decoded and scaled: what goes out, or its source beside the slate."""
    other: float
    """The key frame of another source, as the meters have decoded it."""
    key_frame: float
    """One key frame is decoded for each picture."""

    @property
    def own(self) -> float:
        return SOUNDS * (self.sound + self.judging) + self.picture

    @property
    def asked(self) -> float:
        """Key frames that only the wall asks for, of a sender that makes none by itself."""
        return self.key_frame * EVERY_S * (1 / WALL_ASKS_S - 1 / ASKED_S)


def measure() -> Costs:
    path = source_file(SOURCE_S)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert isinstance(stream, AudioStream)
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    with av.open(str(path)) as container:
        annexb = BitStreamFilterContext("h264_mp4toannexb", container.streams.video[0])
        units = [one for packet in container.demux(video=0) if packet.size for one in annexb.filter(packet)]
        keys = [bytes(one) for one in units if one.is_keyframe]
    with av.open(str(path)) as container:
        frames = [frame for _, frame in zip(range(8), container.decode(video=0), strict=False)]
    seconds = SOURCE_S * TURNS
    decoder, analysis, judge = SoundDecoder("opus"), SoundAnalysis(), SourceJudge(kind="camera")
    samples, decoding = _timed(lambda: [decoder.decode(data) for _ in range(TURNS) for data in packets])
    measures, sound = _timed(
        lambda: [one for index, part in enumerate(samples) for one in analysis.push(part, index * 20)]
    )
    measurer = PictureMeasurer()
    looks, picture = _timed(
        lambda: [
            measurer.measure(frame, n * 250) for n, frame in enumerate(islice(cycle(frames), seconds * MEASURES_S))
        ]
    )

    def judged() -> None:
        for one in measures:
            judge.sound(one)
        for look in looks:
            if look is not None:
                judge.picture(look)

    _, judging = _timed(judged)
    small, reformatter = VideoReformatter().reformat(frames[0], 854, 480), VideoReformatter()
    count = round(seconds / EVERY_S)
    _, shown = _timed(lambda: [crew_jpeg(small, reformatter) for _ in range(count)])
    _, other = _timed(lambda: [crew_jpeg(frames[0], VideoReformatter(), Fraction(1)) for _ in range(count)])
    _, key_frame = _timed(lambda: [_decoded(data) for data in islice(cycle(keys), count)])
    return Costs(*(one / seconds for one in (decoding, sound, picture, judging, shown, other, key_frame)))


def table(costs: Costs, pages: list[wall.Page]) -> str:
    """Markdown."""
    return "\n".join(
        (
            f"| Of a core, for {WIDTH}x{HEIGHT} cameras | measured | limit |",
            "| --- | ---: | ---: |",
            f"| A sound is decoded | {costs.decoding:.4f} | |",
            f"| It is measured, with the voice | {costs.sound:.4f} | |",
            f"| Pictures are measured, {MEASURES_S} a second | {costs.picture:.4f} | |",
            f"| Rules judge both | {costs.judging:.4f} | |",
            f"| **Voice, meters and rules of a room, {SOUNDS} sounds** | **{costs.own:.4f}** | {ROOM_LIMIT} |",
            f"| What goes out, as a JPEG every {EVERY_S:g} s | {costs.shown:.4f} | |",
            f"| Another source's key frame, as a JPEG every {EVERY_S:g} s | {costs.other:.4f} | |",
            f"| Its key frames that only the wall asks for are decoded | {costs.asked:.4f} | |",
            f"| **Pictures of {ROOMS} rooms on air** | **{ROOMS * costs.shown:.4f}** | {WALL_LIMIT} |",
            f"| **All show the slate; their sources beside it** | **{ROOMS * costs.shown:.4f}** | {WALL_LIMIT} |",
            f"| On air, each with a second source | {ROOMS * (costs.shown + costs.other):.4f} | {WALL_LIMIT} |",
            "| The same, where it makes key frames only when asked"
            f" | {ROOMS * (costs.shown + costs.other + costs.asked):.4f} | {WALL_LIMIT} |",
            *wall.rows(pages),
        )
    )


def _decoded(data: bytes) -> None:
    """As ``media/source_meters.py`` decodes it."""
    decoder = PictureDecoder("h264")
    found = [*decoder.decode(data, 0).pictures, *decoder.flush().pictures]
    assert found


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """With the CPU seconds that it took."""
    began = time.process_time()
    return work(), time.process_time() - began
