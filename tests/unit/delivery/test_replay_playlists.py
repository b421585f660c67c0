"""A replay's media playlists as text."""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np

from streamer.archive.editions import Edition, EditionSegment
from streamer.broadcast.programme import TICKS_PER_S, Chunk
from streamer.delivery.replay_playlists import JOINED, TrackWriter, join_inits
from streamer.formats import cmaf, h264
from streamer.formats.types import Sample

SEGMENT = 2 * TICKS_PER_S
EDITION = Edition((), {}, (1_700_000_000_000, 1_700_000_900_000), 3, ())


def piece(number: int, *, init: int = 1, reel: int = 0, breaks: bool = False, gap: bool = False) -> EditionSegment:
    chunks = () if gap else (Chunk("f", number, 1),)
    return EditionSegment(number, reel, "a128", number, number * SEGMENT, SEGMENT, init, breaks, chunks)


def lines(writer: TrackWriter, pieces: list[EditionSegment], *, ended: bool = True) -> list[str]:
    return writer.playlist(EDITION, pieces, ended=ended).text.decode().splitlines()


def maps(text: list[str]) -> list[str]:
    return [line for line in text if line.startswith("#EXT-X-MAP")]


def test_an_init_section_is_named_where_it_changes_and_a_discontinuity_is_no_change() -> None:
    text = lines(TrackWriter("a128", event=False), [piece(0), piece(1, breaks=True), piece(2, breaks=True)])
    assert text.count("#EXT-X-DISCONTINUITY") == 2
    assert maps(text) == ['#EXT-X-MAP:URI="a128/init-1.mp4"']
    other = [piece(0), piece(1, init=2, breaks=True), piece(2, breaks=True), piece(3, reel=1, breaks=True)]
    assert maps(lines(TrackWriter("a128", event=False), other)) == [
        f'#EXT-X-MAP:URI="a128/init-{number}.mp4"' for number in (1, 2, 1, 1_000_001)
    ]


def test_a_gap_is_listed_between_segments_and_not_at_the_end() -> None:
    pieces = [piece(0), piece(1, gap=True), piece(2), piece(3, gap=True), piece(4, gap=True)]
    text = lines(TrackWriter("a128", event=False), pieces)
    assert [line for line in text if line.endswith(".m4s")] == [f"a128/{n}.m4s" for n in (0, 1, 2)]
    assert text.count("#EXT-X-GAP") == 1
    assert text[-1] == "#EXT-X-ENDLIST"


def test_a_growing_list_is_only_ever_added_to() -> None:
    writer = TrackWriter("a128", event=True)
    pieces = [piece(0), piece(1, gap=True), piece(2, gap=True), piece(3), piece(4, gap=True)]
    grown = [lines(writer, pieces[: n + 1], ended=False) for n in range(len(pieces))]
    for before, after in pairwise(grown):
        assert after[: len(before)] == before
    assert [len([line for line in text if line.endswith(".m4s")]) for text in grown] == [1, 1, 1, 4, 4]


def test_a_rendition_of_gaps_alone_lists_them() -> None:
    text = lines(TrackWriter("a128", event=False), [piece(0, gap=True), piece(1, gap=True)])
    assert text.count("#EXT-X-GAP") == 2


# --- init sections ---


def coded(sps_id: int, size: tuple[int, int] = (320, 180), profile: str = "baseline") -> tuple[bytes, bytes]:
    """An init section and a segment of ten pictures, from an encoder whose parameter sets have this id."""
    encoder = av.CodecContext.create("libx264", "w")
    (encoder.width, encoder.height), encoder.pix_fmt = size, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(10), Fraction(1, TICKS_PER_S)
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.options = {"profile": profile, "tune": "zerolatency", "x264-params": f"sps-id={sps_id}"}
    encoder.open()
    config = cmaf.video_config(*h264.parameter_sets(encoder.extradata))
    samples = []
    for number in range(10):
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 20 * number, np.uint8), format="rgb24")
        frame.pts, frame.time_base = (sps_id * 10 + number) * 9000, Fraction(1, TICKS_PER_S)
        for packet in encoder.encode(frame):
            unit = h264.parse_access_unit(bytes(packet))
            samples.append(Sample(unit.data, int(packet.pts or 0), unit.idr))
    return cmaf.init_section(config), cmaf.fragment(config, 1, samples, samples[-1].start + 9000)


def test_a_camera_and_the_slate_share_an_init_section_that_decodes_both() -> None:
    (camera, first), (slate, second) = coded(0), coded(1, profile="high")
    data = {1: camera, 2: slate}
    pieces = [piece(0), piece(1, init=2, breaks=True), piece(2, breaks=True)]
    names, made = join_inits(pieces, lambda piece: data[piece.init])
    text = lines(TrackWriter("v180", event=False, joined=names), pieces)
    number = JOINED + 1
    assert maps(text) == [f'#EXT-X-MAP:URI="v180/init-{number}.mp4"']
    with av.open(io.BytesIO(made[number] + first + second)) as container:
        assert container.streams.video[0].codec_context.profile == "High"
        levels = [int(frame.to_ndarray(format="gray")[90, 160]) for frame in container.decode(video=0)]
    assert len(levels) == 20
    assert all(abs(level - 20 * (n % 10)) < 8 for n, level in enumerate(levels))


def test_init_sections_that_cannot_be_one_stay_apart() -> None:
    camera = coded(0)[0]
    for other in (coded(0, profile="high")[0], coded(1, (640, 360))[0], cmaf.init_section(cmaf.aac_config()), b""):
        assert cmaf.joined_init(camera, other) is None
    assert cmaf.joined_init(camera, camera) == camera
    data = {1: camera, 2: coded(1, (640, 360))[0]}
    pieces = [piece(0), piece(1, init=2, breaks=True), piece(2, breaks=True)]
    names, made = join_inits(pieces, lambda piece: data[piece.init])
    assert (names, made) == ({}, {})
    assert len(maps(lines(TrackWriter("v180", event=False, joined=names), pieces))) == 3
