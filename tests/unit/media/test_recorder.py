"""The recorder: places given at once, bytes and index behind, and live that never waits for the disk."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from streamer.broadcast.media_events import Closed, OutputGone, PartMade, SegmentDone, Snapshot, Trimmed
from streamer.broadcast.programme import Chunk, Part
from streamer.formats import hole_punch
from streamer.formats.index import read_index
from streamer.media import disk
from streamer.media.recorder import FILE_TICKS, Recorder
from streamer.media.ring import Ring
from tests.fakes.packaging import broadcast
from tests.fakes.recording import RecordedBroadcast, joined
from tests.fakes.waiting import in_time, until

FOLDER = "b-unguessable"


def recorder(folder: Path, **options: object) -> Recorder:
    made = Recorder(folder, broadcast(), lambda: Snapshot(broadcast=broadcast()), **options)  # type: ignore[arg-type]
    made.start()
    return made


async def test_parts_lie_where_they_were_said_to(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(4)
    live = dict(room.recorder.ring.items())
    await room.finish()
    for track in room.view.outputs["public"].tracks.values():
        for segment in track.segments.values():
            assert joined(tmp_path, segment.parts) == b"".join(live[part.chunk] for part in segment.parts)
    files = sorted(p.name for p in (tmp_path / FOLDER).iterdir())
    assert files == ["a128-0000.m4s", "index-000000.sx", "v180-0000.m4s"]
    # Files hold fragments only, one after the other.
    size = sum(
        part.chunk.size for s in room.view.outputs["public"].tracks["v180"].segments.values() for part in s.parts
    )
    assert (tmp_path / FOLDER / "v180-0000.m4s").stat().st_size == size
    assert room.recorder.alarms == []
    assert room.recorder.counters["disk_queue_bytes"] == 0


async def test_only_the_services_user_can_open_the_files(tmp_path: Path) -> None:
    room = RecordedBroadcast(tmp_path)
    room.write(1)
    await room.finish()
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / FOLDER).iterdir()} == {0o600}


async def test_a_file_takes_ten_minutes_and_ends_with_a_segment(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    first = made.write("v180", 0, b"a", new_segment=True)
    middle = made.write("v180", FILE_TICKS + 5, b"b", new_segment=False)
    third = made.write("v180", FILE_TICKS + 9, b"c", new_segment=True)
    assert await made.close()
    assert [first, middle, third] == [
        Chunk(f"{FOLDER}/v180-0000.m4s", 0, 1),
        Chunk(f"{FOLDER}/v180-0000.m4s", 1, 1),
        Chunk(f"{FOLDER}/v180-0001.m4s", 0, 1),
    ]
    assert (tmp_path / first.file).read_bytes() == b"ab"


async def test_minutes_that_must_not_be_recorded_stay_in_memory(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    chunks = [made.write("v180", at, b"secret", new_segment=True, record=False) for at in range(3)]
    assert {chunk.file for chunk in chunks} == {""}
    assert len({chunk.offset for chunk in chunks}) == 3
    assert all(chunk.offset < 0 for chunk in chunks)
    assert made.ring.get("", chunks[1].offset) == b"secret"
    assert made.write("v180", 4, b"public", new_segment=True).file
    assert await made.close()
    assert b"secret" not in b"".join(f.read_bytes() for f in (tmp_path / FOLDER).iterdir())
    assert made.memory_only_total == 3


async def test_a_stalled_disk_costs_memory_up_to_a_bound_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    real = os.pwrite

    def stalled(descriptor: int, data: bytes, offset: int) -> int:
        gate.wait(10)
        return real(descriptor, data, offset)

    monkeypatch.setattr(disk.os, "pwrite", stalled)
    made = recorder(tmp_path, queue_bytes=10_000)
    with in_time(1):
        chunks = [made.write("v180", at * 30_000, bytes(1000), new_segment=False) for at in range(30)]
    kept = [chunk for chunk in chunks if chunk.file]
    assert len(kept) == 10
    assert made.alarms == ["disk_behind"]
    assert made.refused_total == 20
    assert all(made.ring.get(chunk.file, chunk.offset) for chunk in chunks)
    gate.set()
    await until(lambda: made.counters["disk_queue_bytes"] == 0)
    assert made.write("v180", 31 * 30_000, bytes(1000), new_segment=False) == Chunk(kept[0].file, 10_000, 1000)
    assert await made.close()


async def test_a_full_disk_raises_the_alarm_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full, both = os.pwrite, threading.Event(), threading.Event()

    def filling(descriptor: int, data: bytes, offset: int) -> int:
        if full.is_set():
            # The second part has its place, too, before the first one fails: after that it would get none.
            both.wait(60)
            if len(data) > 400:
                return real(descriptor, data[:100], offset)  # the part that still fits
            raise OSError(errno.ENOSPC, "no space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr("streamer.media.recorder.RETRY_S", 0.05)
    monkeypatch.setattr(disk.os, "pwrite", filling)
    made = recorder(tmp_path)
    good = made.write("v180", 0, bytes(500), new_segment=True)
    await until(lambda: made.counters["disk_bytes_written_total"] == 500)
    full.set()
    lost = [made.write("v180", at, bytes(450), new_segment=False) for at in (30_000, 60_000)]
    both.set()
    made.journal(Trimmed(output="public", first_msn=0, discontinuity_sequence=0))
    await until(lambda: made.counters["disk_lost_parts_total"] == 2)
    assert made.alarms == ["disk_full"]
    memory = made.write("v180", 90_000, bytes(450), new_segment=False)
    assert memory.file == ""
    full.clear()
    await until(lambda: bool(made.write("v180", 120_000, b"again", new_segment=False).file))
    await until(lambda: made.alarms == [])
    assert await made.close()
    # Readers find that the first file ends before what was lost.
    assert (tmp_path / good.file).stat().st_size == 500
    assert {chunk.file for chunk in lost} == {good.file}
    assert (tmp_path / FOLDER / "v180-0001.m4s").read_bytes().startswith(b"again")


async def test_the_index_never_names_bytes_that_were_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def poisoned(descriptor: int, data: bytes, offset: int) -> int:
        if bytes(data) == b"poison":
            raise OSError(errno.EIO, "input/output error")
        return real(descriptor, data, offset)

    monkeypatch.setattr(disk.os, "pwrite", poisoned)
    made = recorder(tmp_path)
    for index, data in enumerate((b"sound!", b"poison")):
        chunk = made.write("v180", index, data, new_segment=index == 0)
        made.journal(PartMade("public", "v180", 0, index, Part(index, 1, True, chunk), data))
    assert await made.close()
    events = read_index(tmp_path / FOLDER / "index-000000.sx").events
    chunks = [event.part.chunk for event in events if isinstance(event, PartMade)]
    assert [bool(chunk.file) for chunk in chunks] == [True, False]
    assert made.alarms == ["disk_error"]


async def test_a_long_index_is_begun_anew_with_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.media.recorder.INDEX_FILE_BYTES", 2_000)
    monkeypatch.setattr("streamer.media.recorder.RETRY_S", 0.0)
    room = RecordedBroadcast(tmp_path)
    for _ in range(12):
        room.write(1)
        await until(lambda: room.recorder.counters["disk_queue_bytes"] == 0)
    await room.finish()
    (index,) = (tmp_path / FOLDER).glob("index-*.sx")
    assert index.name > "index-000003.sx"
    content = read_index(index)
    assert isinstance(content.events[0], Snapshot)
    assert len(content.events[0].outputs["public"]["v180"]) > 3
    assert not list((tmp_path / FOLDER).glob("*.new"))


async def test_an_index_that_could_not_be_written_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = os.pwrite, threading.Event()

    def refusing(descriptor: int, data: bytes, offset: int) -> int:
        if broken.is_set() and len(data) < 400:
            raise OSError(errno.ENOSPC, "no space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(disk.os, "pwrite", refusing)
    monkeypatch.setattr("streamer.media.recorder.RETRY_S", 0.0)
    room = RecordedBroadcast(tmp_path)
    room.write(2)
    await until(lambda: room.recorder.counters["disk_queue_bytes"] == 0)
    broken.set()
    room.write(2)
    await until(lambda: room.recorder.counters["disk_queue_bytes"] == 0)
    broken.clear()
    room.write(2)
    await room.finish()
    (index,) = (tmp_path / FOLDER).glob("index-*.sx")
    done = {e.msn for e in read_index(index).events if isinstance(e, SegmentDone) and e.rendition == "v180"}
    first = read_index(index).events[0]
    assert isinstance(first, Snapshot)
    assert {s.msn for s in first.outputs["public"]["v180"]} | done >= {0, 1, 2, 3, 4}


async def test_files_go_when_no_window_needs_them(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    for msn in range(4):
        chunk = made.write("v180", msn * FILE_TICKS, b"part", new_segment=True)
        made.journal(PartMade("public", "v180", msn, 0, Part(msn, 1, True, chunk), b""))
    made.journal(Trimmed(output="public", first_msn=2, discontinuity_sequence=0))
    made.journal(Closed())
    assert await made.close()
    assert sorted(p.name for p in (tmp_path / FOLDER).glob("*.m4s")) == ["v180-0002.m4s", "v180-0003.m4s"]


def test_the_ring_is_bounded_in_time_and_bytes() -> None:
    ring = Ring(1.0, max_bytes=1000)
    for number in range(10):
        ring.put(Chunk("f", number * 100, 100), number * 30_000, bytes(100))
    assert [chunk.offset for chunk, _ in ring.items()] == [600, 700, 800, 900]
    assert ring.get("f", 500) is None
    assert ring.get("f", 600) == bytes(100)
    ring.put(Chunk("f", 1000, 800), 270_000, bytes(800))
    assert ring.bytes <= 1000
    assert len(ring) == 3


async def test_forgotten_bytes_are_zeros_under_every_name_of_the_file_and_the_rest_stays(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    chunks = [made.write("v180", at, bytes([65 + at]) * 5000, new_segment=at == 0) for at in range(6)]
    await until(lambda: made.counters["disk_bytes_written_total"] == 30_000)
    kept = tmp_path / "kept.m4s"
    kept.hardlink_to(tmp_path / chunks[0].file)
    queued = made.write("v180", 6, b"Z" * 5000, new_segment=False)
    made.forget([chunks[1], chunks[2], queued])
    made.forget([chunks[1], chunks[2], queued])
    assert made.ring.get(chunks[1].file, chunks[1].offset) is None
    assert made.ring.get(chunks[3].file, chunks[3].offset) is not None
    assert await made.forgotten(5) == (15_000, True)
    assert await made.forgotten(5) == (0, True)
    assert made.write("v180", 7, b"after", new_segment=False).offset == 35_000
    assert await made.close()
    data = kept.read_bytes()
    assert data[:5000] == b"A" * 5000
    assert data[5000:15_000] == bytes(10_000)
    assert data[15_000:30_000] == b"D" * 5000 + b"E" * 5000 + b"F" * 5000
    assert data[30_000:] == bytes(5000) + b"after"


async def test_a_file_system_that_knows_no_holes_gets_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(descriptor: int, mode: int, offset: int, size: int) -> int:
        ctypes.set_errno(errno.EOPNOTSUPP)
        return -1

    monkeypatch.setattr(hole_punch._libc, "fallocate", refuses)
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    descriptor = os.open(file, os.O_RDWR)
    hole_punch.punch(descriptor, 10, 2_500_000)
    hole_punch.punch(descriptor, 2_999_990, 1000)
    os.close(descriptor)
    assert file.read_bytes() == b"x" * 10 + bytes(2_500_000) + b"x" * 499_980 + bytes(10)


async def test_a_disk_that_does_not_forget_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(disk, "punch", broken)
    made = recorder(tmp_path)
    chunk = made.write("v180", 0, b"secret", new_segment=True)
    made.forget([chunk])
    assert await made.forgotten(5) == (0, False)
    assert await made.close()


async def test_files_of_an_output_that_is_gone_are_removed(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    chunk = made.write("slate-v180", 0, b"slate", new_segment=True)
    part = Part(0, 30_000, True, chunk)
    made.journal(PartMade(output="~key", rendition="v180", msn=0, index=0, part=part, data=b"slate"))
    made.new_files(1000)
    made.write("slate-v180", 2000, b"later", new_segment=True)
    made.journal(Trimmed(output="public", first_msn=0, discontinuity_sequence=0))
    await until(lambda: (tmp_path / chunk.file).exists())
    made.journal(OutputGone(output="~key"))
    await until(lambda: not (tmp_path / chunk.file).exists())
    assert await made.close()


async def test_what_the_disk_does_not_let_go_of_rings_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "SYNC_S", 0.05)
    made = recorder(tmp_path)
    chunk = made.write("v180", 0, b"a secret", new_segment=True)
    path = tmp_path / chunk.file
    await until(lambda: path.exists() and path.read_bytes() == b"a secret")

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "read-only")

    with monkeypatch.context() as broken:
        broken.setattr(disk, "punch", refused)
        made.forget([chunk])
        assert await made.forgotten(5) == (0, False)
        await until(lambda: "not_erased" in made.alarms)
        assert made.counters["disk_unerased"] == 1
    await until(lambda: path.read_bytes() == bytes(8))
    await until(lambda: "not_erased" not in made.alarms)
    assert await made.close()
