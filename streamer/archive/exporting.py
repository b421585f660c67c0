"""An edition as one MP4 file with pictures of one rendition, sound, chapters and tags. Nothing is copied or encoded.

The file exists as a head and a list of ranges of the recording's media files (:class:`Movie`); any part of it can be
read at any time. Planning reads only the fragments' heads. Everything here blocks: call it in a thread.

Sound follows the pictures. The gap between two stretches is rarely a whole number of frames, so at each join the sound
begins with the frame nearest to its place. The error is at most half a frame (11 ms) and does not add up.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from streamer.archive import away
from streamer.archive.catalogue import Details
from streamer.archive.editions import Edition, EditionSegment, Frames, FramesUnknown, make
from streamer.archive.material import Material, Reel, Span
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S, Chunk
from streamer.formats import fragments, movie
from streamer.formats.fragments import Frame


class NothingToExport(Exception):
    """The edition has no piece of that rendition."""


@dataclass(slots=True, frozen=True)
class CaptionInterval:
    """Text from one media time to another."""

    from_ms: int
    to_ms: int
    text: str


@dataclass(slots=True, frozen=True)
class Range:
    file: str
    offset: int
    size: int
    data: bytes = b""
    """Bytes that are used instead of a file's."""


@dataclass(slots=True)
class Movie:
    """A file that is not stored as a whole: ``head``, then byte ranges of the recording's files. Sizes in bytes."""

    folder: Path
    head: bytes
    ranges: tuple[Range, ...]
    _starts: tuple[int, ...] = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        starts, at = [], len(self.head)
        for one in self.ranges:
            starts.append(at)
            at += one.size
        self._starts, self.size = tuple(starts), at

    def read(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset`` on. Raises OSError, and EOFError if a file ends too early."""
        out: list[bytes] = []
        end = min(offset + size, self.size)
        if offset < len(self.head):
            out.append(self.head[offset : min(end, len(self.head))])
            offset = min(end, len(self.head))
        index = _last_at_most(self._starts, offset)
        while offset < end:
            one, begin = self.ranges[index], offset - self._starts[index]
            length = min(one.size - begin, end - offset)
            if one.data:
                out.append(one.data[begin : begin + length])
            else:
                out.append(away.read_at(self.folder / one.file, one.offset + begin, length))
            offset += length
            index += 1
        return b"".join(out)


def _last_at_most(starts: Sequence[int], offset: int) -> int:
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= offset:
            low = middle
        else:
            high = middle
    return low


class Files:
    """The heads of fragments in a recording's media files, mapped into memory: only the parts in use are read."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._maps: dict[str, mmap.mmap] = {}

    def fragments(self, chunk: Chunk) -> list[fragments.Fragment]:
        """The fragments of a chunk; ``data_at`` counts from the file's beginning. Raises OSError, ValueError."""
        return list(
            fragments.read_fragments(memoryview(self._map(chunk.file)), chunk.offset, chunk.offset + chunk.size)
        )

    def bytes(self, chunk: Chunk) -> bytes:
        return self._map(chunk.file)[chunk.offset : chunk.offset + chunk.size]

    def _map(self, file: str) -> mmap.mmap:
        mapped = self._maps.get(file)
        if mapped is None:
            descriptor = away.open_heads(self._folder / file)
            try:
                mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
            finally:
                os.close(descriptor)
            self._maps[file] = self._stack.enter_context(mapped)
        return mapped


def edition_of(folder: Path, material: Material, spans: Sequence[Span]) -> Edition:
    """An edition made from the recording's files alone."""
    with ExitStack() as stack:
        files = Files(folder, stack)

        def frames_of(wanted: FramesUnknown) -> Frames:
            reel = next(reel for reel in material.reels if reel.broadcast.id == wanted.place[0])
            init = reel.init(wanted.init)
            try:
                data = b"".join(files.bytes(chunk) for chunk in wanted.chunks)
                return (fragments.frames_of(data), fragments.timescale_of(init.data)) if init else ((), 1)
            except (OSError, ValueError):
                return (), 1

        return make(material, spans, frames_of)


def plan(
    folder: Path,
    material: Material,
    edition: Edition,
    rendition: str,
    details: Details,
    captions: Mapping[str, Sequence[CaptionInterval]] | None = None,
) -> Movie:
    """The file of one rendition, with sound if it is a picture rendition, and a text track for each language of
    ``captions``.

    Raises NothingToExport, and OSError or ValueError if the recording's files are damaged.
    """
    kinds = {r.name: r.kind for r in edition.renditions}
    sound = next((r.name for r in edition.renditions if r.kind == "audio"), None)
    if kinds.get(rendition) == "audio":
        pictures, sound = None, rendition
    elif rendition in kinds:
        pictures = rendition
    else:
        raise NothingToExport(rendition)
    with ExitStack() as stack:
        builder = _Builder(material, Files(folder, stack))
        numbers = len(next(iter(edition.tracks.values()), ()))
        for number in range(numbers):
            lead = edition.tracks[pictures or sound or ""][number]
            if pictures is not None:
                builder.pictures(edition.tracks[pictures][number])
            if sound is not None:
                builder.sound(edition.tracks[sound][number], lead)
            builder.next(lead)
    if not any(track.sizes for track in builder.tracks):
        raise NothingToExport(rendition)
    return builder.finished(folder, edition, details, edition.tracks[pictures or sound or ""], captions or {})


class _Builder:
    def __init__(self, material: Material, files: Files) -> None:
        self._reels = material.reels
        self._files = files
        self._video = movie.Track("video", TICKS_PER_S)
        self._audio = movie.Track("audio", 48_000)
        self._ranges: list[Range] = []
        self._bytes = 0
        self._movie_at = 0
        """The place in the movie where the piece begins, ticks."""
        self._begins: list[int] = []
        self._video_end = 0
        self._audio_end: int | None = None

    @property
    def tracks(self) -> list[movie.Track]:
        return [track for track in (self._video, self._audio) if track.sizes]

    def next(self, lead: EditionSegment) -> None:
        self._begins.append(self._movie_at)
        self._movie_at += lead.duration

    def pictures(self, piece: EditionSegment) -> None:
        if piece.gap:
            return  # the last picture before it stays on
        frames, files, lead, scale, init = self._frames(piece)
        if not frames or scale != TICKS_PER_S:
            raise ValueError("pictures without frames")
        track = self._video
        if not track.entries:
            track.width, track.height = movie.picture_size(init)
        # The last picture stays on until this one, however much was left out between them.
        late = self._movie_at - self._video_end
        if late > 0:
            if track.durations:
                track.durations[-1] += late
            else:
                track.delay = late
            self._video_end += late
        shown = [frame.duration for frame in frames[lead:]]
        shown[0] = max(1, shown[0] - lead)
        first = len(track.sizes) + 1
        track.durations += [1] * lead + shown
        track.key_samples += [first + index for index, frame in enumerate(frames) if frame.sync]
        self._add(track, frames, files, init)
        self._video_end += lead + sum(shown)

    def sound(self, piece: EditionSegment, lead: EditionSegment) -> None:
        if piece.gap:
            return
        frames, files, _, scale, init = self._frames(piece)
        track = self._audio
        if not track.entries:
            track.timescale = scale
        elif scale != track.timescale:
            raise ValueError("the sound's rate changed")
        begin = self._movie_at * scale // TICKS_PER_S - lead.start * scale // TICKS_PER_S
        kept: list[Frame] = []
        kept_files: list[str] = []
        for frame, file in zip(frames, files, strict=True):
            ideal = begin + frame.start
            if self._audio_end is None:
                self._audio_end = track.delay = ideal
            if self._audio_end - ideal > frame.duration // 2:
                continue
            if ideal - self._audio_end > frame.duration // 2:
                # Sound is missing: the frame before it lasts until here.
                if kept or track.durations:
                    track.durations[-1] += ideal - self._audio_end
                self._audio_end = ideal
            track.durations.append(frame.duration)
            self._audio_end += frame.duration
            kept.append(frame)
            kept_files.append(file)
        if kept:
            self._add(track, kept, kept_files, init)

    def finished(
        self,
        folder: Path,
        edition: Edition,
        details: Details,
        lead: Sequence[EditionSegment],
        captions: Mapping[str, Sequence[CaptionInterval]],
    ) -> Movie:
        chapters = _chapters(edition, lead, self._begins, details)
        tracks = self.tracks
        for language, said in captions.items():
            placed = _in_movie(edition, lead, self._begins, said)
            if placed:
                tracks.append(self._subtitle_track(language, placed))
        if chapters:
            tracks.append(self._chapter_track(chapters))
        tags = {
            "©nam": details.title,
            "©ART": ", ".join(details.speakers),
            "©alb": details.event,
            "©day": details.date,
            "desc": details.abstract[:2000],
            "©too": "Streamer",
        }
        head = movie.head(tracks, self._bytes, tags, chapters)
        return Movie(folder, head, tuple(self._ranges))

    def _chapter_track(self, chapters: Sequence[movie.MovieChapter]) -> movie.Track:
        track = movie.Track("text", 1000, delay=chapters[0].at_ms)
        ends = [*(chapter.at_ms for chapter in chapters[1:]), self._movie_at // TICKS_PER_MS]
        for chapter, end in zip(chapters, ends, strict=True):
            data = movie.chapter_sample(chapter.title)
            self._text(track, data, max(1, end - chapter.at_ms))
        return track

    def _subtitle_track(self, language: str, placed: Sequence[CaptionInterval]) -> movie.Track:
        track = movie.Track("subtitle", 1000, language=iso_639_2(language))
        at = 0
        for caption in placed:
            if caption.from_ms > at:
                self._text(track, movie.subtitle_sample(""), caption.from_ms - at)
            self._text(track, movie.subtitle_sample(caption.text), caption.to_ms - caption.from_ms)
            at = caption.to_ms
        self._text(track, movie.subtitle_sample(""), max(1, self._movie_at // TICKS_PER_MS - at))
        return track

    def _text(self, track: movie.Track, data: bytes, duration_ms: int) -> None:
        track.durations.append(duration_ms)
        track.sizes.append(len(data))
        track.chunks.append(movie.MovieChunk(self._bytes, 1, 1))
        self._ranges.append(Range("", 0, len(data), data))
        self._bytes += len(data)

    def _frames(self, piece: EditionSegment) -> tuple[list[Frame], list[str], int, int, bytes]:
        """The piece's frames (``at`` in their file), the file of each, the number of lead-in frames, the timescale, the
        init section."""
        init = self._init(self._reels[piece.reel], piece)
        scale = fragments.timescale_of(init)
        frames: list[Frame] = []
        files: list[str] = []
        for chunk in piece.chunks:
            for fragment in self._files.fragments(chunk):
                start, at = fragment.start, fragment.data_at
                for duration, sync, size in zip(fragment.durations, fragment.syncs, fragment.sizes, strict=True):
                    frames.append(Frame(start, duration, sync, at, size))
                    start, at = start + duration, at + size
                files += [chunk.file] * len(fragment.sizes)
        if (trim := piece.trim) is None:
            return frames, files, 0, scale, init
        if trim.held and trim.start is not None and trim.end is not None:
            kept, lead = fragments.held(frames, trim.start, trim.end), 0
        else:
            kept, lead = fragments.cut(frames, trim.start, trim.end)
        places = [(frame.at, frame.size) for frame in frames]
        first = places.index((kept[0].at, kept[0].size)) if kept else 0
        return kept, files[first : first + len(kept)], lead, scale, init

    def _init(self, reel: Reel, piece: EditionSegment) -> bytes:
        init = reel.init(piece.init)
        if init is None:
            raise ValueError("an init section is missing")
        return init.data

    def _add(self, track: movie.Track, frames: Sequence[Frame], files: Sequence[str], init: bytes) -> None:
        track.chunks.append(movie.MovieChunk(self._bytes, len(frames), track.entry(movie.sample_entry(init))))
        for frame, file in zip(frames, files, strict=True):
            track.sizes.append(frame.size)
            last = self._ranges[-1] if self._ranges else None
            if last is not None and last.file == file and last.offset + last.size == frame.at:
                self._ranges[-1] = Range(file, last.offset, last.size + frame.size)
            else:
                self._ranges.append(Range(file, frame.at, frame.size))
            self._bytes += frame.size


def _chapters(
    edition: Edition, pieces: Sequence[EditionSegment], begins: Sequence[int], details: Details
) -> list[movie.MovieChapter]:
    """The chapters at their times in the movie. A chapter inside a part that is left out begins where the movie goes
    on."""
    found: list[movie.MovieChapter] = []
    for at_ms, title in sorted(details.chapters):
        for piece, begin in zip(pieces, begins, strict=True):
            start_ms = edition.pdt_ms(piece)
            if at_ms < start_ms + piece.duration // TICKS_PER_MS:
                place = begin // TICKS_PER_MS + max(0, at_ms - start_ms)
                if not found or place > found[-1].at_ms:
                    found.append(movie.MovieChapter(place, title))
                break
    if found and found[0].at_ms > 0:
        found.insert(0, movie.MovieChapter(0, details.title or found[0].title))
    return found


def _in_movie(
    edition: Edition, pieces: Sequence[EditionSegment], begins: Sequence[int], said: Sequence[CaptionInterval]
) -> list[CaptionInterval]:
    """Captions at their times in the movie, without overlaps. Captions of parts that are left out are left out, too."""
    out: list[CaptionInterval] = []
    for caption in sorted(said, key=lambda caption: caption.from_ms):
        for piece, begin in zip(pieces, begins, strict=True):
            start_ms = edition.pdt_ms(piece)
            if start_ms <= caption.from_ms < start_ms + piece.duration // TICKS_PER_MS:
                at = begin // TICKS_PER_MS + caption.from_ms - start_ms
                if out and out[-1].to_ms > at:
                    out[-1] = replace(out[-1], to_ms=at)
                    if out[-1].from_ms >= at:
                        out.pop()
                out.append(CaptionInterval(at, at + caption.to_ms - caption.from_ms, caption.text))
                break
    return out


def iso_639_2(tag: str) -> str:
    """The language code of three letters that movies use for a BCP 47 tag; ``und`` for an unknown language."""
    language = tag.partition("-")[0]
    return language if len(language) == 3 else _ISO_639_2.get(language, "und")


_PAIRS = """
ar=ara bg=bul br=bre ca=cat co=cos cs=ces cy=cym da=dan de=deu el=ell en=eng es=spa et=est eu=eus fa=fas fi=fin fr=fra
ga=gle gl=glg he=heb hi=hin hr=hrv hu=hun hy=hye it=ita ja=jpn ka=kat ko=kor lt=lit lv=lav mt=mlt nb=nob nl=nld oc=oci
pl=pol pt=por ro=ron ru=rus sk=slk sl=slv sq=sqi sr=srp sv=swe th=tha tr=tur uk=ukr vi=vie zh=zho
"""
_ISO_639_2 = dict(pair.split("=") for pair in _PAIRS.split())
