"""After a kill: the same broadcast goes on, and every segment on disk still plays."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from streamer.broadcast.media_events import Closed
from streamer.broadcast.view import BroadcastView
from streamer.media.recovery import Recovered, recover, remove_old_broadcasts
from tests.fakes.recording import RecordedBroadcast, joined

FOLDER = "b-unguessable"
NOW_MS = 1_790_000_020_000


def recovered(folder: Path) -> Recovered:
    found = recover(folder, now_ms=NOW_MS, close_after_s=1800)
    assert found is not None
    return found


def check_consistent(folder: Path, state: Recovered) -> None:
    """A web process can follow the state, and every byte that it names is there."""
    view = BroadcastView()
    view.apply(state.snapshot)
    for name, tracks in state.snapshot.outputs.items():
        rows = {rendition: [s.msn for s in segments] for rendition, segments in tracks.items()}
        assert len({tuple(row) for row in rows.values()}) <= 1
        for segments in tracks.values():
            for segment in segments:
                assert segment.complete
                joined(folder, segment.parts)
            if segments:
                assert segments[-1].msn + 1 == state.outputs[name].next_msn


def plays(folder: Path, state: Recovered, rendition: str = "v180") -> int:
    """Decode all segments of a rendition on disk; the number of pictures."""
    inits = {init.id: init.data for init in state.inits}
    pictures = 0
    for segment in state.snapshot.outputs["public"][rendition]:
        if segment.gap:
            continue
        with av.open(io.BytesIO(inits[segment.init] + joined(folder, segment.parts))) as file:
            frames = [frame.pts for frame in file.decode(video=0)]
        assert frames[0] == segment.start
        pictures += len(frames)
    return pictures


async def test_a_broadcast_goes_on_where_it_was(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(3, frames=35)
    await room.finish()
    state = recovered(tmp_path)
    check_consistent(tmp_path, state)
    assert (state.lost_parts, state.gaps, state.torn_bytes) == (0, 0, 0)
    assert state.broadcast == room.of
    # 30 of the last 35 pictures were in finished parts.
    assert plays(tmp_path, state) == 60 + 60 + 30
    assert state.end == 150 * 3000
    assert state.outputs["public"].next_msn == 3
    assert state.next_files == {"v180": 1, "a128": 1}

    again = RecordedBroadcast(tmp_path, state, start=state.end + 90_000)
    again.write(3)
    await again.finish()
    opened = list(again.view.outputs["public"].tracks["v180"].segments.values())
    assert [s.msn for s in opened] == list(range(6))
    assert [s.discontinuity for s in opened] == [False] * 3 + [True, False, False]
    assert len(again.view.inits) == 2
    final = recovered(tmp_path)
    check_consistent(tmp_path, final)
    # The last part, of ten pictures, was not finished.
    assert plays(tmp_path, final) == 150 + 170
    assert final.snapshot.intervals["public"][-1].index == 1
    assert len(list((tmp_path / FOLDER).glob("index-*.sx"))) == 1


async def test_an_index_cut_at_any_byte_still_gives_a_playable_prefix(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    room = RecordedBroadcast(whole)
    room.write(2, frames=25)
    await room.finish()
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    index = cut / FOLDER / "index-000000.sx"
    data = index.read_bytes()
    ends, shown = [], -1
    for size in range(len(data), 0, -1):
        os.truncate(index, size)
        state = recover(cut, now_ms=NOW_MS, close_after_s=1800)
        if state is None:
            ends.append(size)
            continue
        check_consistent(cut, state)
        if state.end != shown:
            shown = state.end
            if state.outputs:
                plays(cut, state)
    # Only where even the first record is torn is there nothing to go on with.
    assert max(ends) < 600
    assert shown == 0


@pytest.mark.parametrize("rendition", ["v180", "a128"])
async def test_bytes_that_never_reached_the_disk_are_not_listed(tmp_path: Path, rendition: str) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(3)
    await room.finish()
    media = tmp_path / FOLDER / f"{rendition}-0000.m4s"
    size = media.stat().st_size
    for keep in (size - 1, size * 2 // 3, size // 3, 0):
        os.truncate(media, keep)
        state = recovered(tmp_path)
        check_consistent(tmp_path, state)
        assert state.lost_parts > 0
        # The other rendition keeps what it has; this one has gaps of the same length.
        other = "a128" if rendition == "v180" else "v180"
        assert all(not s.gap for s in state.snapshot.outputs["public"][other])
        for mine, theirs in zip(*(state.snapshot.outputs["public"][n] for n in (rendition, other)), strict=True):
            assert mine.discontinuity == theirs.discontinuity
            if mine.gap:
                assert abs(mine.duration - theirs.duration) <= 40_000


async def test_parts_that_were_in_memory_only_are_gaps_afterwards(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(1)
    room.unrecorded.begin(room.start)
    room.write(1)
    room.unrecorded.end(room.start)
    room.write(1)
    await room.finish()
    state = recovered(tmp_path)
    check_consistent(tmp_path, state)
    rows = state.snapshot.outputs["public"]["v180"]
    assert [s.gap for s in rows] == [False, True, False]
    assert [s.duration for s in rows[:2]] == [180_000, 180_000]


async def test_a_closed_or_old_broadcast_is_not_gone_on_with(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(2)
    await room.finish()
    assert recover(tmp_path, now_ms=NOW_MS + 1_800_000, close_after_s=1800) is None
    state = recovered(tmp_path)
    again = RecordedBroadcast(tmp_path, state, start=state.end)
    again._event(Closed())
    await again.finish()
    assert recover(tmp_path, now_ms=NOW_MS, close_after_s=1800) is None
    assert recover(tmp_path / "nothing", now_ms=NOW_MS, close_after_s=1800) is None


async def test_old_files_go_also_after_a_recovery(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path, dvr_s=60)
    room.write(5)
    await room.finish()
    state = recovered(tmp_path)
    again = RecordedBroadcast(tmp_path, state, start=state.end)
    again.write(40)
    await again.finish()
    names = sorted(p.name for p in (tmp_path / FOLDER).glob("*.m4s"))
    assert names == ["a128-0001.m4s", "v180-0001.m4s"]
    check_consistent(tmp_path, recovered(tmp_path))


async def test_broadcasts_that_are_over_are_removed_in_the_end(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(1)
    await room.finish()
    (tmp_path / "notes").mkdir()
    later = int(time.time() * 1000) + 7_300_000
    assert remove_old_broadcasts(tmp_path, keep=(), now_ms=later - 3_600_000, older_than_s=7200) == []
    assert remove_old_broadcasts(tmp_path, keep=(FOLDER,), now_ms=later, older_than_s=7200) == []
    claimed = int(time.time() * 1000) - 60_000
    assert remove_old_broadcasts(tmp_path, keep=(), now_ms=later, older_than_s=7200, keep_from_ms=claimed) == []
    unclaimed = later - 60_000
    assert remove_old_broadcasts(tmp_path, keep=(), now_ms=later, older_than_s=7200, keep_from_ms=unclaimed) == [FOLDER]
    assert [p.name for p in tmp_path.iterdir()] == ["notes"]


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.fakes.recording import RecordedBroadcast

async def main():
    room = RecordedBroadcast(Path(sys.argv[1]))
    room.write(3)
    while room.recorder.counters["disk_queue_bytes"]:
        await asyncio.sleep(0.005)
    room.write(1)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_process_killed_while_it_writes_loses_only_what_was_queued(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path.cwd(), timeout=60, check=False)
    assert done.returncode == -9
    state = recovered(tmp_path)
    check_consistent(tmp_path, state)
    assert plays(tmp_path, state) >= 180 - 10
    assert state.outputs["public"].next_msn >= 3


async def test_an_unfinished_segment_is_closed_with_gaps_for_who_has_nothing_of_it(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(1)
    room.sound.push = lambda sample: None  # type: ignore[method-assign]
    room.write(1, frames=12)
    await room.finish()
    state = recovered(tmp_path)
    check_consistent(tmp_path, state)
    sound = state.snapshot.outputs["public"]["a128"]
    picture = state.snapshot.outputs["public"]["v180"]
    assert [s.gap for s in picture] == [False, False]
    assert [s.gap for s in sound] == [False, True]
    # Sound is cut at its own frames: its gap begins where it ended and ends with the picture.
    assert sound[1].start == sound[0].start + sound[0].duration
    assert sound[1].start + sound[1].duration == picture[1].start + picture[1].duration
