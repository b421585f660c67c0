"""Replays of what a camera on a bad link sent, with stretches that were forgotten or left out anywhere."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from streamer.archive.editions import Frames, FramesUnknown, make, spans_of
from streamer.archive.material import Material, Span, collect
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.delivery.replay_playlists import TrackWriter
from streamer.formats import fragments
from tests.fakes import chance
from tests.fakes.bad_links import bad_link
from tests.fakes.hls_playlist import parse_media
from tests.fakes.hls_rules import check_replay
from tests.fakes.simulated_room import Room, played

CUTS = 12
"""Of each room."""
GONE_AND_SKIPPED_MS = ((100, 400, 700, 1500), (0, 0, 200, 700))


def faults_of_a_cut(room: Room, dice: random.Random) -> list[str]:
    """The faults of the playlists of one cut through what the room has made."""
    assert room.mirror is not None
    view = room.mirror.view
    assert view.broadcast is not None
    segments = [s for track in view.outputs[PROGRAMME_OUTPUT].tracks.values() for s in track.segments.values()]
    first = view.broadcast.media_time_ms(min(s.start for s in segments))
    last = view.broadcast.media_time_ms(max(s.start + s.duration for s in segments))
    gone, skip = (
        Span(begin, begin + long)
        for begin, long in (
            (dice.randrange(first + 300, last - 900), dice.choice(long)) for long in GONE_AND_SKIPPED_MS
        )
    )
    reel = collect(view, PROGRAMME_OUTPUT, Span(first, last), (gone,))
    assert reel is not None

    def frames(wanted: FramesUnknown) -> Frames:
        init = reel.init(wanted.init)
        assert init is not None
        assert room.folder is not None
        files = [((room.folder / chunk.file).read_bytes(), chunk) for chunk in wanted.chunks]
        data = b"".join(file[chunk.offset : chunk.offset + chunk.size] for file, chunk in files)
        return fragments.frames_of(data), fragments.timescale_of(init.data)

    material = Material("s", "r", (reel,), (gone,))
    begin, end = dice.randrange(first, first + 1500), dice.randrange(last - 1500, last)
    edition = make(material, spans_of(material, begin, end, (skip,)), frames)
    return [
        f"{name} from {begin - first} to {end - first}, {gone} gone, {skip} left out: {fault}"
        for name, pieces in edition.tracks.items()
        if pieces
        for fault in check_replay(
            parse_media(TrackWriter(name, event=False).playlist(edition, pieces, ended=True).text.decode())
        )
    ]


@pytest.mark.parametrize("seed", range(chance.seed(), chance.seed() + 500, 5) if chance.SOAK else (81, 139))
def test_whatever_is_cut_out_of_it_media_time_has_no_hole(tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + (5 if chance.SOAK else 1)):
        dice = random.Random(number)
        room = played(bad_link(dice), folder=tmp_path / str(number))
        assert [fault for _ in range(CUTS) for fault in faults_of_a_cut(room, dice)] == []
