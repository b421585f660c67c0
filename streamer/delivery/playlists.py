"""Playlists as text: values in, lines out. Pure.

The standard is RFC 8216bis (draft-pantos-hls-rfc8216bis); section numbers below are its. Two kinds: the
multivariant playlist, fixed for a broadcast, and media playlists, which :mod:`streamer.delivery.rendering`
puts together from the pieces made here, so that a segment's lines are written once and not at every reload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Broadcast, Interval, Rendition, Segment
from streamer.broadcast.view import OutputView, RenditionView
from streamer.delivery import captions

VERSION = 9
"""EXT-X-SKIP needs version 9 (section 8)."""
PARTS_TARGETS = 3
"""4.4.4.9: parts should leave the playlist once they are more than three target durations from its end."""
SKIP_TARGETS = 6
"""4.4.3.8: the skip boundary is at least six target durations."""
HOLD_BACK_TARGETS = 3
"""4.4.3.8: HOLD-BACK is at least three target durations."""
PART_HOLD_BACK_PARTS = 3.15
"""4.4.3.8: PART-HOLD-BACK is at least twice, and should be at least three times, the part target. A little more
than three keeps players that round on the right side of it, and two seconds glass to glass within reach."""
DVR_QUERY = "?dvr=1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(ticks: int) -> str:
    """Ticks as decimal seconds with five digits, rounded half up, without floating point.

    >>> seconds(30_000), seconds(180_000)
    ('0.33333', '2.00000')
    """
    scaled = (ticks * 100_000 + TICKS_PER_S // 2) // TICKS_PER_S
    return f"{scaled // 100_000}.{scaled % 100_000:05d}"


def date_time(epoch_ms: int, ticks: int) -> str:
    """EXT-X-PROGRAM-DATE-TIME's value: UTC with milliseconds, rounded to the nearest."""
    ms = epoch_ms + (ticks + TICKS_PER_MS // 2) // TICKS_PER_MS
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- multivariant ---------------------------------------------------------------------------------


def multivariant(broadcast: Broadcast, *, dvr: bool = False, extra: Sequence[str] = ()) -> str:
    """The playlist that a viewer opens. URIs are relative to ``/live/{room}/``.

    The best sound is an audio group; each sound is a variant of its own, without a group. The first variant is the one
    that players without an estimate of their bandwidth begin with, so the middle of the ladder stands first; the others
    go from best to least.
    """
    query = DVR_QUERY if dvr else ""
    return variants(broadcast.renditions, broadcast.id, query, extra=extra, languages=broadcast.caption_languages)


def variants(
    renditions: Sequence[Rendition],
    folder: str,
    query: str = "",
    *,
    extra: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> str:
    """A multivariant playlist whose media playlists are ``{folder}/{rendition}.m3u8{query}``. ``extra``: more lines;
    ``languages``: of captions."""
    videos = sorted((r for r in renditions if r.kind == "video"), key=lambda r: -r.bandwidth)
    sounds = sorted((r for r in renditions if r.kind == "audio"), key=lambda r: -r.bandwidth)
    if videos:
        videos.insert(0, videos.pop(len(videos) // 2))
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS", *extra]
    best = sounds[0] if sounds else None
    if best is not None:
        channels = f',CHANNELS="{best.channels}"' if best.channels else ""
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{best.name}",NAME="{best.name}",DEFAULT=YES,AUTOSELECT=YES'
            f'{channels},URI="{folder}/{best.name}.m3u8{query}"'
        )
    lines += [captions.media_line(language, folder, query) for language in languages]
    for video in videos:
        lines += _variant(f"{folder}/{video.name}.m3u8{query}", video, best, captioned=bool(languages))
    for sound in sounds:
        # VLC takes the last group with a default, whichever the variant names: there is one. It makes none of a
        # rendition whose address, letter by letter, is a variant's too: the variant spells it otherwise.
        lines += _variant(f"./{folder}/{sound.name}.m3u8{query}", sound, None, captioned=bool(languages))
    return "\n".join(lines) + "\n"


def _variant(address: str, rendition: Rendition, sound: Rendition | None, *, captioned: bool) -> list[str]:
    """4.4.6.2: BANDWIDTH is the peak of everything the variant plays, its audio group included."""
    together = [rendition] if sound is None else [rendition, sound]
    attributes = [
        f"BANDWIDTH={sum(r.bandwidth for r in together)}",
        f"AVERAGE-BANDWIDTH={sum(r.average_bandwidth for r in together)}",
        f'CODECS="{",".join(r.codecs for r in together)}"',
    ]
    if rendition.kind == "video":
        attributes.append(f"RESOLUTION={rendition.width}x{rendition.height}")
        if rendition.frame_rate:
            attributes.append(f"FRAME-RATE={rendition.frame_rate:.3f}")
    if sound is not None:
        attributes.append(f'AUDIO="{sound.name}"')
    if captioned:
        attributes.append(f'SUBTITLES="{captions.GROUP}"')
    if rendition.kind == "video":
        attributes.append("CLOSED-CAPTIONS=NONE")
    return [f"#EXT-X-STREAM-INF:{','.join(attributes)}", address]


# --- addresses, relative to /live/{room}/{broadcast}/ ---------------------------------------------


def segment_uri(key: str, rendition: str, msn: int) -> str:
    return f"{key}/{rendition}/{msn}.m4s"


def part_uri(key: str, rendition: str, msn: int, part: int) -> str:
    return f"{key}/{rendition}/{msn}.{part}.m4s"


def init_uri(key: str, rendition: str, init: int) -> str:
    return f"{key}/{rendition}/init-{init}.mp4"


# --- the pieces of a media playlist ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrackText:
    """Writes the lines of one rendition of one output."""

    broadcast: Broadcast
    rendition: str
    intervals: Mapping[int, Interval]

    def head(self, first_msn: int, discontinuity_sequence: int) -> str:
        target = self.broadcast.target_duration_s
        part_target = self.broadcast.part_target_ticks
        hold_back = seconds(int(part_target * PART_HOLD_BACK_PARTS))
        return (
            f"#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            f"#EXT-X-TARGETDURATION:{target}\n"
            f"#EXT-X-PART-INF:PART-TARGET={seconds(part_target)}\n"
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back},"
            f"HOLD-BACK={HOLD_BACK_TARGETS * target}.0,CAN-SKIP-UNTIL={SKIP_TARGETS * target}.0\n"
            f"#EXT-X-MEDIA-SEQUENCE:{first_msn}\n"
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}\n"
        )

    def segment(self, segment: Segment, before: Segment | None, *, parts: bool) -> str:
        """The lines of a segment that is complete, or open with at least one part.

        ``before`` is the segment before it that has bytes: the init section is named if it changes.
        """
        out: list[str] = []
        key = self.intervals[segment.interval].key
        if segment.discontinuity:
            out.append("#EXT-X-DISCONTINUITY\n")
        if not segment.gap and (segment.discontinuity or before is None or not same_init(segment, before)):
            out.append(self.map(segment))
        out.append(f"#EXT-X-PROGRAM-DATE-TIME:{date_time(self.broadcast.epoch_ms, segment.start)}\n")
        if segment.gap:
            out.append("#EXT-X-GAP\n")
        if parts:
            for index, part in enumerate(segment.parts):
                independent = ",INDEPENDENT=YES" if part.independent else ""
                uri = part_uri(key, self.rendition, segment.msn, index)
                out.append(f'#EXT-X-PART:DURATION={seconds(part.duration)},URI="{uri}"{independent}\n')
        if segment.complete:
            uri = segment_uri(key, self.rendition, segment.msn)
            out.append(f"#EXTINF:{seconds(segment.duration)},\n{uri}\n")
        return "".join(out)

    def map(self, segment: Segment) -> str:
        key = self.intervals[segment.interval].key
        return f'#EXT-X-MAP:URI="{init_uri(key, self.rendition, segment.init)}"\n'

    def hint(self, last: Segment, following: Interval) -> str:
        """4.4.5.3: the part after those of ``last``; ``following`` is the interval of the segment after it.

        If the hinted part is not made after all, its request is answered with 404.
        """
        if last.complete:
            uri = part_uri(following.key, self.rendition, last.msn + 1, 0)
        else:
            uri = part_uri(self.intervals[last.interval].key, self.rendition, last.msn, len(last.parts))
        return f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{uri}"\n'


class CaptionText(TrackText):
    """Writes the lines of a subtitle rendition: one whole segment for each segment of the rendition that it follows.

    Text is typed seconds after the words were said, so parts would gain nothing. A gap has a segment without text.
    """

    def head(self, first_msn: int, discontinuity_sequence: int) -> str:
        target = self.broadcast.target_duration_s
        return (
            f"#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n"
            f"#EXT-X-TARGETDURATION:{target}\n"
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,"
            f"HOLD-BACK={HOLD_BACK_TARGETS * target}.0,CAN-SKIP-UNTIL={SKIP_TARGETS * target}.0\n"
            f"#EXT-X-MEDIA-SEQUENCE:{first_msn}\n"
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}\n"
        )

    def segment(self, segment: Segment, before: Segment | None, *, parts: bool) -> str:
        if not segment.complete:
            return ""
        discontinuity = "#EXT-X-DISCONTINUITY\n" if segment.discontinuity else ""
        uri = captions.segment_uri(self.intervals[segment.interval].key, self.rendition, segment.msn)
        return (
            f"{discontinuity}#EXT-X-PROGRAM-DATE-TIME:{date_time(self.broadcast.epoch_ms, segment.start)}\n"
            f"#EXTINF:{seconds(segment.duration)},\n{uri}\n"
        )

    def map(self, segment: Segment) -> str:
        return ""

    def hint(self, last: Segment, following: Interval) -> str:
        return ""


def same_init(a: Segment, b: Segment) -> bool:
    """Whether two segments name the same init section; its address contains the interval's key."""
    return a.init == b.init and a.interval == b.interval


def skip(count: int) -> str:
    """4.4.5.2: the number of segments that a delta update leaves out."""
    return f"#EXT-X-SKIP:SKIPPED-SEGMENTS={count}\n"


def reports(tracks: Iterable[RenditionView], but: str, *, dvr: bool) -> str:
    """4.4.5.4: the last parts of the other renditions, so that a switch of quality can begin with a blocking reload."""
    query = DVR_QUERY if dvr else ""
    out = []
    for track in tracks:
        edge = track.edge
        if track.rendition.name == but or edge is None:
            continue
        msn, part = edge
        last_part = f",LAST-PART={part}" if part >= 0 else ""
        out.append(f'#EXT-X-RENDITION-REPORT:URI="{track.rendition.name}.m3u8{query}",LAST-MSN={msn}{last_part}\n')
    return "".join(out)


def live_window_start(output: OutputView, track: RenditionView, window_ticks: int) -> int:
    """The first msn of the playlist without ``?dvr=1``: the shortest run of whole segments that fills the window.

    Durations are added up, because the timeline jumps at a crash of the room process (6.2.2 asks for a length, not a
    time). It never moves back, because segments are only added at the end.
    """
    first = track.first
    if first is None:
        return output.first_msn
    msn = track.last_complete_msn
    total = 0
    while msn > first.msn:
        total += track.segments.duration(msn)
        if total >= window_ticks:
            return msn
        msn -= 1
    return first.msn
