"""MP4 files of editions: demuxed, decoded and compared with what was broadcast."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamer.archive import files
from streamer.archive.catalogue import Details
from streamer.archive.exporting import CaptionInterval, Movie, NothingToExport, edition_of, plan
from streamer.archive.material import Material, Span, collect
from streamer.broadcast.media_events import PROGRAMME_OUTPUT, MediaEvent
from streamer.broadcast.view import BroadcastView
from tests.fakes.encoded import GREYS
from tests.fakes.packaging import VIDEO, pictures
from tests.fakes.studio import SIZES, Studio

DETAILS = Details(
    title="Été à Nantes",
    speakers=("Zoé Dupont", "李"),
    event="Rencontres 2026",
    abstract="Of summers.",
    date="2026-11-24",
)


class Recorded:
    def __init__(self, tmp_path: Path) -> None:
        self.view = BroadcastView()
        self.room_dir, self.folder = tmp_path / "room", tmp_path / "recording"
        self.studio = Studio(self.room_dir, self.take)

    def take(self, event: MediaEvent) -> None:
        self.view.apply(event)

    def material(self) -> Material:
        reel = collect(self.view, PROGRAMME_OUTPUT, Span(0, 1 << 52))
        assert reel is not None
        return files.keep(self.folder, self.room_dir, Material("talk", "salle", (reel,)))

    def movie(self, *spans: tuple[float, float], rendition: str = "v180", details: Details = DETAILS) -> Movie:
        material = self.material()
        cut = [Span(self.studio.at(a), self.studio.at(b)) for a, b in spans]
        return plan(self.folder, material, edition_of(self.folder, material, cut), rendition, details)


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    made.studio.run(16)
    return made  # type: ignore[return-value]


def opened(movie: Movie) -> av.container.InputContainer:
    return av.open(io.BytesIO(movie.read(0, movie.size)), format="mp4")


def shown(movie: Movie) -> list[tuple[float, float]]:
    """(time, mean grey) of each picture that takes time."""
    with opened(movie) as container:
        frames = [(float(f.time), float(f.to_ndarray(format="gray").mean())) for f in container.decode(video=0)]
    return [now for now, after in zip(frames, [*frames[1:], (1e9, 0)], strict=True) if after[0] - now[0] > 0.001]


def grey(second: float) -> float:
    return (GREYS[int(second + 1e-6) % 5] - 16) * 255 / 219


def test_it_begins_and_ends_at_the_frame(recorded: Recorded) -> None:
    """The key frame after the beginning stands still until its time; nothing from before is in the file."""
    movie = recorded.movie((3.5, 11.2))
    frames = shown(movie)
    assert len(frames) == 1 + 216
    assert frames[0] == pytest.approx((0, grey(4)), abs=6)
    for number, (at, mean) in enumerate(frames[1:], 1):
        assert at == pytest.approx(0.5 + (number - 1) / 30, abs=0.0005)
        assert mean == pytest.approx(grey(4 + (number - 1) / 30), abs=6)
    with opened(movie) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(frames)
    with opened(movie) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (320, 180)
        assert float(video.duration * video.time_base) == pytest.approx(7.7, abs=0.001)
        assert float(sound.duration * sound.time_base) == pytest.approx(7.7, abs=0.022)
        assert float(container.duration / av.time_base) == pytest.approx(7.7, abs=0.022)


def test_sound_and_picture_keep_together_over_many_joins(recorded: Recorded) -> None:
    """Forty skips that are no whole number of frames: the error does not add up."""
    spans = [(1 + n * 0.33, 1 + n * 0.33 + 0.217) for n in range(40)]
    movie = recorded.movie(*spans)
    with opened(movie) as container:
        video = float(container.streams.video[0].duration * container.streams.video[0].time_base)
        sound = float(container.streams.audio[0].duration * container.streams.audio[0].time_base)
        times = [float(f.time) for f in container.decode(audio=0)]
    assert abs(video - sound) < 0.045
    assert all(0.021 < b - a < 0.065 for a, b in pairwise(times)), "at most a frame or two of silence at a join"


def test_tags_and_chapters(recorded: Recorded) -> None:
    at = recorded.studio.at
    chapters = ((at(5), "Questions"), (at(8.0), "Skipped, so where it goes on"), (at(99), "after the end"))
    details = replace(DETAILS, chapters=chapters)
    movie = recorded.movie((3, 7), (9, 12), details=details)
    with opened(movie) as container:
        assert container.metadata["title"] == "Été à Nantes"
        assert container.metadata["artist"] == "Zoé Dupont, 李"
        assert container.metadata["album"] == "Rencontres 2026"
        assert container.metadata["date"] == "2026-11-24"
        assert container.metadata["description"] == "Of summers."
        found = [(float(c["start"] * c["time_base"]), c["metadata"]["title"]) for c in container.chapters()]
    assert [title for _, title in found] == ["Été à Nantes", "Questions", "Skipped, so where it goes on"]
    assert [at for at, _ in found] == pytest.approx([0, 2, 4], abs=0.04)
    assert len(shown(movie)) == 210


def test_any_range_is_the_files(recorded: Recorded) -> None:
    movie = recorded.movie((2.3, 9))
    whole = movie.read(0, movie.size)
    assert len(whole) == movie.size
    for begin in (0, 1, len(movie.head) - 3, len(movie.head), len(movie.head) + 1, movie.size // 2, movie.size - 5):
        for size in (1, 7, 5000, movie.size):
            assert movie.read(begin, size) == whole[begin : begin + size]


def test_the_media_stand_behind_the_head(recorded: Recorded) -> None:
    whole = recorded.movie((0, 10)).read(0, 100_000_000)
    assert whole.index(b"moov") < whole.index(b"mdat")


def test_sound_alone(recorded: Recorded) -> None:
    movie = recorded.movie((3.5, 11), rendition="a128")
    with opened(movie) as container:
        assert not container.streams.video
        samples = sum(f.samples for f in container.decode(audio=0))
    assert samples / 48_000 == pytest.approx(7.5, abs=0.03)


def test_what_is_not_there_is_told(recorded: Recorded) -> None:
    for rendition, span in (("v999", (3, 5)), ("v180", (200, 300))):
        with pytest.raises(NothingToExport):
            recorded.movie(span, rendition=rendition)


def test_other_parameter_sets_in_the_middle(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera changed its size: a second sample entry, and players decode both."""
    studio = recorded.studio
    studio.configs[VIDEO.name] = pictures(240, 136)[0]
    studio.discontinuity = True
    monkeypatch.setitem(SIZES, VIDEO.name, (240, 136))
    studio.run(4)
    movie = recorded.movie((14, 19))
    with opened(movie) as container:
        sizes = [(f.width, f.height) for f in container.decode(video=0)]
    assert sizes[0] == (320, 180)
    assert sizes[-1] == (240, 136)
    assert len(sizes) == 150


def test_captions_are_a_text_track_for_each_language(recorded: Recorded) -> None:
    """With what was cut out, at the places that are left, without overlaps."""
    at = recorded.studio.at
    french = (
        CaptionInterval(at(4), at(6), "Bonjour\nà tous"),
        CaptionInterval(at(5), at(6.5), "qui êtes là"),
        CaptionInterval(at(7.5), at(8.5), "cut out"),
        CaptionInterval(at(9.5), at(11), "après la coupe"),
    )
    material = recorded.material()
    edition = edition_of(recorded.folder, material, [Span(at(3), at(7)), Span(at(9), at(12))])
    captions = {"fr": french, "pt-BR": (CaptionInterval(at(9), at(9.5), "Olá"),), "en": ()}
    movie = plan(recorded.folder, material, edition, "v180", DETAILS, captions)
    with opened(movie) as container:
        tracks = container.streams.subtitles
        assert [(s.codec_context.name, s.language) for s in tracks] == [("mov_text", "fra"), ("mov_text", "por")]
        found: list[tuple[float, float, str]] = []
        for packet in container.demux(tracks[0]):
            if packet.pts is None or packet.time_base is None:
                continue
            data = bytes(packet)
            text = data[2 : 2 + int.from_bytes(data[:2], "big")].decode()
            begin, length = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
            found.append((float(begin), float(begin + length), text))
    shown = [(begin, end, text) for begin, end, text in found if text]
    assert [text for _, _, text in shown] == ["Bonjour\nà tous", "qui êtes là", "après la coupe"]
    assert [begin for begin, _, _ in shown] == pytest.approx([1, 2, 4.5], abs=0.04)
    assert [end for _, end, _ in shown] == pytest.approx([2, 3.5, 6], abs=0.04)
    assert found[0][2] == "", "nothing before the first"
