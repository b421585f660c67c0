"""The kept and the visible parts of a session's recording, as its day goes on."""

from __future__ import annotations

import asyncio
import errno
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.archive import away, editing, files
from streamer.archive.editing import Edit, delete, edit, forget
from streamer.archive.material import Material, Span, chunks_of
from streamer.archive.repository import Who
from streamer.broadcast.programme import Part
from streamer.conference.sessions import Flag, ReplayPolicy, SessionState, Visibility
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.formats.index import HEADER, encode_event
from streamer.store.recordings import RecordingState
from streamer.store.sessions import Sessions
from tests.fakes.archived import Archive, archive
from tests.fakes.waiting import in_time, until

ORGANISER = Who("grant-1", "Anne")


def stored(kept: Archive, name: str = "talk") -> Material:
    return files.read_material(kept.archivist.repository.folder(name))


def pictures_between(material: Material, track: str = "v180") -> list[tuple[float, float]]:
    """Seconds of the broadcast of each part."""
    reel = material.reels[0]
    return [(p.start / 90_000, (p.start + p.duration) / 90_000) for s in reel.tracks[track] for p in s.parts]


async def test_on_air_it_can_be_watched_from_the_start(kept: Archive) -> None:
    kept.studio.run(5)
    await kept.on_air(3)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert state.published
    assert state.current is not None
    assert (state.current.start_ms, state.current.end_ms) == (kept.studio.at(3), None)
    assert state.current.event
    assert kept.archivist.has_replay("talk")
    assert (await kept.recording()).state is RecordingState.GROWING


async def test_its_end_makes_an_edition_and_links_the_files(kept: Archive) -> None:
    kept.studio.run(3)
    await kept.on_air(3)
    kept.studio.run(9)
    await kept.ended(11.5)
    live, vod = await kept.editions()
    assert (vod.start_ms, vod.end_ms, vod.replaced_ms) == (kept.studio.at(3), kept.studio.at(11.5), None)
    assert live.end_ms == vod.end_ms
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [False, False], "its viewers go on to the end"
    folder = kept.archivist.repository.folder("talk")
    for file in folder.glob("media/*"):
        assert file.stat().st_nlink == 2
    recording = await kept.recording()
    assert recording.state is RecordingState.READY
    assert recording.size_bytes == sum(c.size for c in chunks_of(stored(kept).reels))
    # Five minutes of handles, as far as there is anything.
    assert recording.start_ms == kept.studio.at(0)
    assert recording.end_ms == pytest.approx(kept.studio.at(12), abs=400)


async def test_the_end_waits_for_the_programme_to_come_to_it(kept: Archive) -> None:
    await kept.on_air(0.5)
    kept.studio.run(6)
    kept.later_ms = 600
    asked = asyncio.create_task(kept.ended(6.5))
    await until(lambda: kept.link.subscribers > 0)
    with in_time(2):
        kept.studio.run(1)
        await asked
    assert (await kept.editions())[-1].end_ms == kept.studio.at(6.5)


async def test_the_handle_behind_the_end_is_fetched_later(kept: Archive) -> None:
    kept.studio.run(1)
    await kept.on_air(1)
    kept.studio.run(5)
    await kept.ended(5)
    kept.studio.run(20)
    await kept.archivist.look("talk")
    recording = await kept.recording()
    assert recording.end_ms == pytest.approx(kept.studio.at(26), abs=400)
    assert len(await kept.editions()) == 2, "a longer handle is no other cut"


async def test_a_late_end_takes_back_what_was_shown_since(kept: Archive) -> None:
    """The microphone was still on: whoever watches from the start must not get it by the address that they have."""
    await kept.on_air(1)
    kept.studio.run(30)
    await kept.ended(8)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [True, False]


async def test_a_late_start_begins_a_new_edition(kept: Archive) -> None:
    kept.studio.run(10)
    await kept.on_air(9)
    await kept.on_air(2)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [(e.start_ms, e.replaced) for e in state.editions] == [(kept.studio.at(9), True), (kept.studio.at(2), False)]


async def test_a_start_that_is_undone_leaves_nothing(kept: Archive) -> None:
    kept.studio.run(4)
    await kept.on_air(1)
    await kept.session(state=SessionState.SCHEDULED, started_ms=None)
    assert await kept.archivist.find("talk") is None
    assert not kept.archivist.repository.folder("talk").exists()
    with pytest.raises(NotFound):
        await kept.recording()


async def test_a_reopened_session_goes_on(kept: Archive) -> None:
    await kept.on_air(1)
    kept.studio.run(8)
    await kept.ended(6)
    await kept.session(state=SessionState.ON_AIR, ended_ms=None)
    kept.studio.run(6)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert state.current is not None
    assert state.current.end_ms is None
    assert [e.replaced for e in state.editions] == [True, True, False]
    await kept.ended(13)
    assert (await kept.editions())[-1].end_ms == kept.studio.at(13)


async def test_a_private_session_beside_it_is_in_no_handle(kept: Archive) -> None:
    await kept.on_air(0.5, "board", visibility=Visibility.PRIVATE)
    kept.studio.run(6)
    await kept.ended(5, "board")
    await kept.on_air(5)
    kept.studio.run(6)
    await kept.ended(11)
    await kept.on_air(11, "secret", visibility=Visibility.UNLISTED)
    kept.studio.run(6)
    await kept.archivist.look("talk")
    for track in ("v180", "v90", "a128"):
        inside = pictures_between(stored(kept), track)
        assert min(a for a, _ in inside) >= 5
        assert max(b for _, b in inside) <= 11
    # A public session's minutes are no secret: a private one has its handles.
    assert max(b for _, b in pictures_between(stored(kept, "board"))) > 5.5
    state = await kept.archivist.find("board")
    assert state is not None
    assert (state.closed, state.published) == (True, True)


async def test_what_must_not_be_recorded_is_not(kept: Archive) -> None:
    kept.studio.run(2)
    await kept.on_air(1, do_not_record=Flag.YES)
    kept.studio.run(3)
    await kept.ended(4)
    assert await kept.archivist.find("talk") is None
    assert not kept.archivist.repository.folder("talk").exists()


async def test_an_answer_in_the_middle_takes_it_back(kept: Archive) -> None:
    kept.studio.run(2)
    await kept.on_air(1, do_not_record=Flag.ASK)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert not state.published, "unanswered means recorded and not published"
    assert kept.archivist.repository.folder("talk").exists()
    await kept.session(record_answer=False)
    assert not kept.archivist.repository.folder("talk").exists()
    state = await kept.archivist.find("talk")
    assert state is not None
    assert all(edition.replaced for edition in state.editions)


@pytest.mark.parametrize(
    ("fields", "published"),
    [
        ({}, True),
        ({"replay": ReplayPolicy.AFTER_REVIEW}, False),
        ({"replay": ReplayPolicy.NEVER}, False),
        ({"do_not_stream": Flag.YES}, False),
    ],
)
async def test_who_may_watch_it_follows_its_policy(kept: Archive, fields: dict[str, object], published: bool) -> None:
    await kept.on_air(1, **fields)
    kept.studio.run(5)
    assert kept.archivist.has_replay("talk") is published
    await kept.ended(4)
    assert kept.archivist.has_replay("talk") is published
    assert (await kept.recording()).published is published


async def test_a_session_that_is_closed_afterwards_changes_its_address(kept: Archive) -> None:
    await kept.on_air(1)
    kept.studio.run(6)
    await kept.ended(5)
    await kept.session(visibility=Visibility.PRIVATE)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [True, True, False]
    assert state.closed


async def test_holds_are_skipped(kept: Archive) -> None:
    kept.studio.run(1)
    await kept.on_air(1)
    kept.studio.run(4)
    await kept.incident(4.9, None)
    kept.studio.run(5)
    await kept.incident(4.9, 9.8)
    kept.studio.run(3)
    assert len(await kept.editions()) == 1, "what was not listed yet needs no other edition"
    await kept.ended(12)
    live, vod = await kept.editions()
    assert vod.skips == live.skips == ((kept.studio.at(4.9), kept.studio.at(9.8)),)


async def test_an_incident_that_is_hidden_afterwards_is_another_edition(kept: Archive) -> None:
    kept.studio.run(1)
    await kept.on_air(1)
    kept.studio.run(30)
    await kept.incident(5, 7)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [True, False]


# --- people ---------------------------------------------------------------------------------------------


async def test_a_cut_is_nudged(kept: Archive) -> None:
    await kept.ready()
    at = kept.studio.at
    entry = await edit(kept.archivist, "talk", Edit(start_ms=at(2.4), skips=(Span(at(5), at(6)),)), ORGANISER)
    assert entry.current is not None
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [True, True, False]
    assert state.current is not None
    assert (state.current.start_ms, state.current.end_ms) == (at(2.4), at(11))
    assert state.current.skips == (Span(at(5), at(6)),)
    # It stays as it was made by hand, whatever is looked at later.
    await kept.archivist.look("talk")
    assert (await kept.editions())[-1].start_ms == at(2.4)
    again = await edit(kept.archivist, "talk", Edit(start_ms=at(2.4)), ORGANISER)
    assert again.current == (await kept.editions())[-1]


@pytest.mark.parametrize("cut", [(-1.0, 5.0), (4.0, 4.5), (5.0, 4.0), (2.0, 99.0)])
async def test_a_cut_that_cannot_be_is_refused(kept: Archive, cut: tuple[float, float]) -> None:
    await kept.ready()
    start, end = (kept.studio.at(s) for s in cut)
    with pytest.raises(Unprocessable) as refused:
        await edit(kept.archivist, "talk", Edit(start_ms=start, end_ms=end), ORGANISER)
    assert refused.value.code == "bad_cut"
    assert refused.value.details["from_ms"] == kept.studio.at(0)
    with pytest.raises(Unprocessable):
        await edit(kept.archivist, "talk", Edit(skips=(Span(kept.studio.at(0), kept.studio.at(12)),)), ORGANISER)


async def test_a_cut_without_a_key_frame_is_refused(kept: Archive) -> None:
    """No picture could be shown: each would need one from before."""
    await kept.ready()
    at = kept.studio.at
    change = Edit(start_ms=at(4.1), end_ms=at(6.9), skips=(Span(at(4.9), at(6.1)),))
    with pytest.raises(Unprocessable, match="key frame"):
        await edit(kept.archivist, "talk", change, ORGANISER)
    await edit(kept.archivist, "talk", replace(change, skips=(Span(at(4.9), at(5.9)),)), ORGANISER)


async def test_unpublished_and_published_again(kept: Archive) -> None:
    await kept.ready()
    await edit(kept.archivist, "talk", Edit(published=False), ORGANISER)
    state = await kept.archivist.find("talk")
    assert state is not None
    assert not state.published
    assert [e.replaced for e in state.editions] == [True, True, False], "reviewers have an address of their own"
    await kept.session(title="Another title")
    await kept.archivist.look("talk")
    assert not kept.archivist.has_replay("talk"), "what a person decided stands"
    await edit(kept.archivist, "talk", Edit(published=True), ORGANISER)
    assert kept.archivist.has_replay("talk")


async def test_a_recording_that_cannot_be_kept_at_two_tries_is_told_until_it_can(kept: Archive) -> None:
    await kept.on_air(2)
    folder = kept.archivist.repository.folder("talk")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")
    for count in range(3):
        assert kept.archivist.fails("salle") is (count > 1)
        await kept.archivist._look_safely("talk")
    assert not kept.archivist.fails("another")
    folder.unlink()
    await kept.archivist._look_safely("talk")
    assert not kept.archivist.fails("salle")


async def test_what_is_pinned_is_not_deleted(kept: Archive) -> None:
    await kept.ready()
    await edit(kept.archivist, "talk", Edit(pinned=True), ORGANISER)
    with pytest.raises(Conflict):
        await delete(kept.archivist, "talk", ORGANISER)
    await edit(kept.archivist, "talk", Edit(pinned=False), ORGANISER)
    await delete(kept.archivist, "talk", ORGANISER)
    assert not kept.archivist.repository.folder("talk").exists()
    state = await kept.archivist.find("talk")
    assert state is not None
    assert all(edition.replaced for edition in state.editions)
    await kept.archivist.look("talk")
    assert (await kept.recording()).state is RecordingState.DELETED, "and it does not come back"


async def test_forgotten_minutes_are_nowhere(kept: Archive) -> None:
    await kept.ready()
    at = kept.studio.at
    bytes_before = b"".join(f.read_bytes() for f in kept.settings.room_dir("salle").rglob("v180-*.m4s"))
    assert await forget(kept.archivist, "salle", at(6), at(8)) == ["talk"]
    assert not any(a < 8 and b > 6 for a, b in pictures_between(stored(kept)))
    state = await kept.archivist.find("talk")
    assert state is not None
    assert [e.replaced for e in state.editions] == [True, True, False]
    await kept.archivist.look("talk")
    assert not any(a < 8 and b > 6 for a, b in pictures_between(stored(kept))), "the mirror still has them"
    after = b"".join(f.read_bytes() for f in kept.settings.room_dir("salle").rglob("v180-*.m4s"))
    assert len(after) == len(bytes_before)
    zeroed = sum(1 for a, b in zip(bytes_before, after, strict=True) if a and not b)
    assert zeroed > len(after) // 10, "the room's file is the same one"


async def test_minutes_that_a_disk_did_not_erase_are_erased_after_the_look_that_came_between(
    kept: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look writes the material without them, and the room has its files no more."""
    await kept.ready()
    at, folder = kept.studio.at, kept.archivist.repository.folder("talk")
    shutil.rmtree(kept.settings.room_dir("salle"))
    places = [part.chunk for part in parts_between(stored(kept), 6, 8)]
    assert places
    shown = sum(part.chunk.size for part in parts_between(stored(kept), 0, 5))

    def refuse(*_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(editing, "punch", refuse)
        broken.setattr(away, "punch", refuse)
        with pytest.raises(OSError, match="Input/output error"):
            await forget(kept.archivist, "salle", at(6), at(8))
    await kept.archivist.look("talk")
    await forget(kept.archivist, "salle", at(6), at(8))
    assert not any(any(away.read_at(folder / one.file, one.offset, one.size)) for one in places)
    left = parts_between(stored(kept), 0, 5)
    assert sum(part.chunk.size for part in left) == shown
    assert all(any(away.read_at(folder / p.chunk.file, p.chunk.offset, p.chunk.size)) for p in left)


def parts_between(material: Material, from_s: float, to_s: float) -> list[Part]:
    tracks = material.reels[0].tracks.values()
    parts = [part for segments in tracks for segment in segments for part in segment.parts]
    return [p for p in parts if p.start < to_s * 90_000 and p.start + p.duration > from_s * 90_000]


# --- crashes ----------------------------------------------------------------------------------------------


async def test_everything_is_found_again_when_the_database_is_lost(tmp_path: Path) -> None:
    async with archive(tmp_path) as kept:
        await kept.ready()
        await edit(kept.archivist, "talk", Edit(start_ms=kept.studio.at(3)), ORGANISER)
        await kept.on_air(11, "board", visibility=Visibility.PRIVATE)
        kept.studio.run(4)
        await kept.ended(15, "board")
        editions = await kept.editions()
    for file in tmp_path.glob("*.sqlite3*"):
        file.unlink()
    shutil.rmtree(tmp_path / "rooms")
    async with archive(tmp_path) as fresh:
        fresh.plane.rooms.clear()
        archivist = fresh.new_archivist()
        await archivist.restore()
        await archivist.start()
        try:
            state = await archivist.find("talk")
            assert state is not None
            assert [e.id for e in state.editions] == [e.id for e in editions]
            assert state.published
            board = await archivist.find("board")
            assert board is not None
            assert board.closed
        finally:
            await archivist.close()
        assert pictures_between(stored(fresh))


async def test_what_ended_while_nobody_was_there_is_kept_by_the_index(kept: Archive, tmp_path: Path) -> None:
    """The web process died with the session's start; the room went on, closed, and wrote its index."""
    kept.studio.run(12)
    record = encode_event(kept.link.view.snapshot())
    assert record is not None
    folder = kept.settings.room_dir("salle") / kept.studio.broadcast.id
    (folder / "index-000001.sx").write_bytes(HEADER + record)
    kept.plane.rooms.clear()
    await kept.on_air(2)
    await kept.ended(9)
    assert (await kept.recording()).state is RecordingState.READY
    assert (await kept.editions())[-1].end_ms == kept.studio.at(9)
    assert set(stored(kept).reels[0].tracks) == {"v180", "v90", "a128"}


async def test_a_session_of_which_there_is_nothing_has_no_replay(kept: Archive) -> None:
    kept.plane.rooms.clear()
    await kept.on_air(1)
    await kept.ended(3)
    assert (await kept.recording()).state is RecordingState.FAILED
    assert not kept.archivist.has_replay("talk")


async def test_damage_is_told_and_costs_only_what_it_hit(kept: Archive) -> None:
    await kept.ready()
    path = kept.archivist.repository.folder("talk") / files.MATERIAL_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        files.read_material(path.parent)
    await kept.archivist.look("talk")  # the mirror still has it
    assert pictures_between(files.read_material(path.parent))


async def test_its_own_task_looks_where_something_changed(kept: Archive) -> None:
    await kept.archivist.start()
    try:
        kept.studio.run(3)
        before = await kept.session()
        started = replace(before, state=SessionState.ON_AIR, started_ms=kept.studio.at(1))
        async with kept.database.write() as connection:
            await Sessions(connection).save_many((started,))
        kept.archivist.changed(before, started)
        await until(lambda: kept.archivist.has_replay("talk"))
    finally:
        await kept.archivist.close()
    assert kept.archivist.faults == 0
