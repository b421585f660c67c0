"""Media and its indexes on disk, byte for byte as they were recorded. What is encoded here is made up."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from streamer.archive import files
from streamer.archive.away import Away, Heads
from streamer.archive.files import LevelledSound, RecordingSidecar
from streamer.archive.material import Material
from streamer.broadcast.media_events import MediaEvent, PartBytes, PartMade, Snapshot, StillMade
from streamer.formats import cmaf, erasures, fragments, h264, index, movie
from streamer.formats.erasures import Erasure, ErasureLog
from streamer.formats.types import Sample, TrackConfig
from tests.golden.filled import by_name, filled
from tests.golden.recorded import DATA, same_bytes, same_json

SPS = bytes.fromhex("6742c01eda0280bfe584000003000400000300f23c58ba80")
PPS = bytes.fromhex("68ce3c80")
START = 90_000 * 3600 * 30
"""Thirty hours in: more than 32 bits of ticks."""
KEY = bytes(range(32))


def _pictures(count: int, *, syncs: tuple[int, ...] = (0,), step: int = 3000) -> list[Sample]:
    return [Sample(bytes([n]) * (n + 5), START + n * step, n in syncs) for n in range(count)]


def _video() -> TrackConfig:
    return cmaf.video_config([SPS], [PPS])


def _fragments() -> bytes:
    config, pictures = _video(), _pictures(20, syncs=(0, 10))
    ends = (pictures[5].start, pictures[15].start, pictures[19].start + 2987)
    runs = (pictures[:5], pictures[5:15], pictures[15:])
    return b"".join(
        cmaf.fragment(config, cmaf.sequence_number(run[0].start), run, end) for run, end in zip(runs, ends, strict=True)
    )


def test_parameter_sets_are_read_as_before() -> None:
    read = h264.parse_sps(SPS)
    assert (read.width, read.height, read.codecs) == (640, 360, "avc1.42c01e")
    same_bytes("avcc.bin", h264.avc_configuration([SPS], [PPS]))


def test_init_sections() -> None:
    same_bytes("init_video.bin", cmaf.init_section(_video()))
    for rate, channels in ((48_000, 2), (44_100, 1)):
        same_bytes(f"init_aac_{rate}.bin", cmaf.init_section(cmaf.aac_config(rate, channels)))
    before = (DATA / "init_video.bin").read_bytes()
    assert fragments.timescale_of(before) == 90_000
    assert movie.picture_size(before) == (640, 360)


def test_fragments() -> None:
    same_bytes("fragments_video.bin", _fragments())
    frames = fragments.frames_of((DATA / "fragments_video.bin").read_bytes())
    assert [frame.start for frame in frames] == [START + n * 3000 for n in range(20)]
    assert [frame.duration for frame in frames] == [3000] * 19 + [2987]
    assert [n for n, frame in enumerate(frames) if frame.sync] == [0, 10]
    sound = [Sample(bytes([n]) * 40, START + n * 1920, True) for n in range(12)]
    made = cmaf.fragment(cmaf.aac_config(), 7, sound, sound[-1].start + 1920)
    same_bytes("fragments_aac.bin", made)
    read = fragments.frames_of((DATA / "fragments_aac.bin").read_bytes())
    assert [(frame.start, frame.duration) for frame in read] == [(START * 48 // 90 + n * 1024, 1024) for n in range(12)]


def test_a_cut_inside_fragments() -> None:
    same_bytes("fragments_cut.bin", fragments.trimmed(_fragments(), START + 13 * 3000, START + 18 * 3000))


def test_the_head_of_a_movie() -> None:
    video = movie.Track("video", 90_000, 640, 360, key_samples=[1, 4], delay=-6000)
    sound = movie.Track("audio", 48_000, delay=512)
    text, said = movie.Track("text", 1000, language="fra"), movie.Track("subtitle", 1000, 640, 60, language="deu")
    video.entry(movie.sample_entry(cmaf.init_section(_video())))
    sound.entry(movie.sample_entry(cmaf.init_section(cmaf.aac_config())))
    video.durations, video.sizes = [3000, 3000, 3001, 2999, 3000], [900, 20, 30, 800, 25]
    video.chunks = [movie.MovieChunk(0, 3, 1), movie.MovieChunk(1500, 2, 1)]
    sound.durations, sound.sizes, sound.chunks = [1024] * 4, [40, 41, 42, 43], [movie.MovieChunk(950, 4, 1)]
    chapter, line = movie.chapter_sample("Début é"), movie.subtitle_sample("Grüß Gott")
    text.durations, text.sizes, text.chunks = [1000], [len(chapter)], [movie.MovieChunk(2400, 1, 1)]
    said.durations, said.sizes, said.chunks = [400, 600], [len(line), 2], [movie.MovieChunk(2500, 2, 1)]
    tags = {"©nam": "Titre", "©ART": "Ada, Bob", "desc": ""}
    made = movie.head(
        [video, sound, text, said], 3000, tags, [movie.MovieChapter(0, "Début é"), movie.MovieChapter(700, "End")]
    )
    same_bytes("movie_head.bin", made + chapter + line)


def test_an_index_on_disk() -> None:
    """Every kind of event, as it is appended; those that are not kept are not."""
    events = [filled(kind, f"index.{_tag(kind)}") for kind in (Snapshot, *get_args(MediaEvent)[1:])]
    records = [record for event in events if (record := index.encode_event(event)) is not None]
    same_bytes("index.bin", index.HEADER + b"".join(records))
    data = (DATA / "index.bin").read_bytes()
    content = index.decode_index(data)
    assert (content.good_bytes, content.torn_bytes) == (len(data), 0)
    kept = [event for event in events if not isinstance(event, StillMade | PartBytes)]
    assert [type(event) for event in content.events] == [type(event) for event in kept]
    same_json("index.json", [by_name(event) for event in content.events])
    assert [event.data for event in content.events if isinstance(event, PartMade)] == [b""]


def test_the_list_of_erasures(tmp_path: Path) -> None:
    (tmp_path / erasures.KEY_FILE).write_bytes(KEY)
    log = ErasureLog(tmp_path)
    log.open()
    for kind in get_args(Erasure):
        log.add(filled(kind, f"erasures.{_tag(kind)}"))
    same_bytes("erasures.log", (tmp_path / erasures.LOG_FILE).read_bytes())
    content = erasures.decoded((DATA / "erasures.log").read_bytes())
    assert content.torn_bytes == 0
    same_json("erasures.json", [{_tag(type(one.erasure)): by_name(one.erasure)} for one in content.records])
    same_json("erasures_hashed.json", {kind: log.hashed(kind, "abc").hex() for kind in ("person", "grant")})


def _tag(kind: type[MediaEvent | Erasure]) -> str:
    return str(kind.__struct_config__.tag)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (files.MATERIAL_FILE, Material),
        (files.STATE_FILE, RecordingSidecar),
        ("levelled.bin", LevelledSound),
        (f"file{files.AWAY}", Away),
        (f"file{files.HEADS}", Heads),
    ],
)
def test_files_of_a_recording(name: str, kind: type[msgspec.Struct], tmp_path: Path) -> None:
    files.write(tmp_path / name, filled(kind, name))
    same_bytes(name, (tmp_path / name).read_bytes())
    read = files.read(DATA / name, kind)
    same_json(f"{name}.json", by_name(read))
    files.write(tmp_path / name, read)
    assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()
