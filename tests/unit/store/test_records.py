"""The day's records in the database: states of rooms, actions, recordings, the audit log, logins, imports."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from streamer.conference.grants import Grant, Role, hash_secret, new_token
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event, Hold, Session
from streamer.conference.sources import SourceKind, SourceSetting
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.store.actions import Actions, StoredAction
from streamer.store.audit import AuditEntry, AuditLog
from streamer.store.database import Database
from streamer.store.events import Events
from streamer.store.grants import Grants
from streamer.store.logins import Login, Logins, Secrets
from streamer.store.recordings import Editions, Recording, Recordings, RecordingState, StoredEdition
from streamer.store.room_states import Acknowledgement, Acknowledgements, RoomStates, StoredRoomState
from streamer.store.rooms import Rooms
from streamer.store.schedule_sources import ImportPreview, ImportPreviews, ScheduleSource, ScheduleSources
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

NINE = 1_790_000_000_000


@pytest.fixture
async def with_sessions(store: Database) -> Database:
    async with store.write() as connection:
        await Venues(connection).add(Venue("v", "V", logos=("https://l/1.png",)))
        await Rooms(connection).add(Room("a", "A", venue="v", aliases=("Salle A", "🎪"), guid="g", retention_days=30))
        await Rooms(connection).add(Room("b", "B"))
        await Events(connection).add(Event("days", "Days"))
        await Sessions(connection).add_many(
            [Session(f"s{n}", "a", f"Talk {n}", NINE + n, NINE + n + 1, event="days") for n in range(5)]
        )
    return store


def no_defaults(item: Any, *, besides: tuple[str, ...] = ()) -> None:
    """A field left at its default would not show that it is stored."""
    for field in fields(item):
        assert field.name in besides or getattr(item, field.name) != field.default, field.name


async def test_rooms_and_venues_come_back_with_their_new_fields(with_sessions: Database) -> None:
    async with with_sessions.write() as connection:
        room = await Rooms(connection).get("a")
        assert room == Room("a", "A", venue="v", aliases=("Salle A", "🎪"), guid="g", retention_days=30)
        await Rooms(connection).save(replace(room, aliases=(), retention_days=None, venue=None))
        assert await Rooms(connection).get("a") == Room("a", "A", guid="g")
        assert (await Venues(connection).get("v")).logos == ("https://l/1.png",)
        assert [room.id for room in await Rooms(connection).all()] == ["a", "b"]
        assert [venue.id for venue in await Venues(connection).all()] == ["v"]
        with pytest.raises(NotFound):
            await Rooms(connection).save(Room("none", "None"))
        with pytest.raises(NotFound):
            await Venues(connection).save(Venue("none", "None"))


async def test_a_rooms_state_is_kept_and_one_that_is_not_stored_is_plain(with_sessions: Database) -> None:
    sources = (SourceSetting("main", kind=SourceKind.CAMERA), SourceSetting("spare", -3.5, mute=True, mono=True))
    state = StoredRoomState("a", Hold(NINE, "Fire alarm", NINE + 60_000), True, "spare", sources, NINE + 1, NINE + 2)
    no_defaults(state)
    async with with_sessions.write() as connection:
        states = RoomStates(connection)
        assert await states.get("a") == StoredRoomState("a")
        await states.save(state)
        assert await states.get("a") == state
        await states.save(replace(state, hold=Hold(NINE, ""), source=None))
        assert await states.all() == {"a": replace(state, hold=Hold(NINE, ""), source=None)}
        await states.save(StoredRoomState("a"))
        assert await states.all() == {"a": StoredRoomState("a")}
        with pytest.raises(Unprocessable):
            await states.save(StoredRoomState("none"))


async def test_the_last_to_acknowledge_an_alarm_takes_care_of_it(with_sessions: Database) -> None:
    first = Acknowledgement("a", "nothing_coming_in.s1", "g1", "Ada", NINE)
    second = replace(first, who="g2", label="Bo", at_ms=NINE + 1)
    other = replace(first, alarm="disk")
    async with with_sessions.write() as connection:
        acknowledgements = Acknowledgements(connection)
        for acknowledgement in (first, second, other):
            await acknowledgements.put(acknowledgement)
        assert await acknowledgements.all() == {"a": {first.alarm: second, "disk": other}}
        await acknowledgements.remove("a", [first.alarm, "none"])
        assert await acknowledgements.all() == {"a": {"disk": other}}
        await Rooms(connection).add(Room("c", "C"))
        await acknowledgements.put(replace(first, room="c"))
        await Rooms(connection).remove("c")
        assert set(await acknowledgements.all()) == {"a"}


async def test_an_action_is_undone_once(with_sessions: Database) -> None:
    async with with_sessions.write() as connection:
        actions = Actions(connection)
        images = {"sessions": [{"id": "s1"}], "hold": None}
        done = [
            StoredAction(f"x{n}", "a", f"s{n % 2}" if n else None, NINE + n, "g", "Ada", "start", images, {"n": n})
            for n in range(4)
        ]
        for action in done:
            await actions.add(action)
        await actions.add(replace(done[0], id="elsewhere", room="b"))
        assert await actions.latest("a") == done[::-1]
        assert await actions.latest("a", limit=1) == [done[3]]
        assert await actions.latest("a", session="s1") == [done[3], done[1]]
        assert await actions.latest("a", since_ms=NINE + 2) == [done[3], done[2]]
        assert await actions.mark_undone("x3", NINE + 9)
        assert not await actions.mark_undone("x3", NINE + 10)
        assert not await actions.mark_undone("none", NINE)
        found = await actions.get("x3")
        assert found == replace(done[3], undone_ms=NINE + 9)
        with pytest.raises(Conflict):
            await actions.add(done[0])
        with pytest.raises(Unprocessable):
            await actions.add(replace(done[0], id="new", room="none"))
        with pytest.raises(NotFound):
            await actions.get("none")


async def test_recordings_are_found_by_what_they_are_of(with_sessions: Database) -> None:
    full = Recording(
        session="s1",
        room="a",
        broadcast="b1",
        folder="recordings/s1",
        start_ms=NINE,
        end_ms=NINE + 5,
        size_bytes=2**40,
        state=RecordingState.READY,
        pinned=True,
        published=True,
        reviewed=True,
        created_ms=NINE + 6,
    )
    no_defaults(full)
    growing = Recording("s2", "a", "b1", "recordings/s2", NINE + 1)
    async with with_sessions.write() as connection:
        recordings = Recordings(connection)
        await recordings.add(full)
        await recordings.put(growing)
        assert await recordings.get("s1") == full
        assert await recordings.find_many(["s1", "s2", "s3"]) == {"s1": full, "s2": growing}

        async def ids(**query: Any) -> list[str]:
            return [item.session for item in (await recordings.page(10, None, **query)).items]

        assert await ids() == ["s2", "s1"]
        assert await ids(room="b") == []
        assert await ids(venue="v") == ["s2", "s1"]
        assert await ids(event="days", published=True) == ["s1"]
        assert await ids(states=[RecordingState.GROWING]) == ["s2"]
        page = await recordings.page(1, None)
        assert page.items == [growing]
        assert (await recordings.page(1, page.cursor)).items == [full]
        assert await recordings.in_state(RecordingState.GROWING) == [growing]
        with pytest.raises(Conflict):
            await recordings.add(full)
        with pytest.raises(Unprocessable):
            await recordings.add(replace(full, session="none"))


async def test_retention_is_offered_what_is_old_and_not_pinned(with_sessions: Database) -> None:
    async with with_sessions.write() as connection:
        recordings = Recordings(connection)
        plain = Recording("s0", "a", "b", "f", NINE, NINE + 5, 10, RecordingState.READY)
        await recordings.add(plain)
        await recordings.add(replace(plain, session="s1", pinned=True))
        await recordings.add(replace(plain, session="s2", end_ms=None, state=RecordingState.GROWING))
        await recordings.add(replace(plain, session="s3", end_ms=NINE + 6))
        await recordings.add(replace(plain, session="s4", state=RecordingState.DELETED))
        assert await recordings.unpinned_before("a", NINE + 6) == [plain]
        assert await recordings.unpinned_before("b", NINE + 6) == []
        with pytest.raises(Conflict) as recorded:
            await Sessions(connection).remove_many(("s0",))
        assert recorded.value.code == "has_recording"
        await recordings.put(replace(plain, state=RecordingState.DELETED))
        await Sessions(connection).remove_many(["s0", "s4"])
        assert await recordings.find("s0") is None


async def test_a_session_has_one_current_edition(with_sessions: Database) -> None:
    first = StoredEdition("e1", "s1", NINE, NINE + 100, ((NINE + 1, NINE + 2), (NINE + 7, NINE + 9)), NINE + 101)
    second = StoredEdition("e2", "s1", NINE + 1, created_ms=NINE + 102)
    async with with_sessions.write() as connection:
        editions = Editions(connection)
        with pytest.raises(Unprocessable):
            await editions.add(first)
        await Recordings(connection).add(Recording("s1", "a", "b", "f", NINE))
        await editions.add(first)
        assert await editions.current("s1") == first
        await editions.add(second)
        replaced = replace(first, replaced_ms=NINE + 102)
        assert await editions.find("e1") == replaced
        assert await editions.current_of(["s1", "s2"]) == {"s1": second}
        assert await editions.of_session("s1") == [replaced, second]
        await editions.save(replace(second, end_ms=NINE + 50))
        with pytest.raises(Unprocessable):
            await editions.save(first)
        with pytest.raises(NotFound):
            await editions.save(replace(second, id="e3", replaced_ms=1))
        assert await editions.withdraw("s1", NINE + 103)
        assert not await editions.withdraw("s1", NINE + 104)
        assert await editions.current("s1") is None
        assert await editions.find("e2") == replace(second, end_ms=NINE + 50, replaced_ms=NINE + 103)
        await Recordings(connection).remove("s1")
        assert await editions.of_session("s1") == []


async def test_the_audit_log_grows_and_is_read_backwards(with_sessions: Database) -> None:
    entry = AuditEntry(NINE, "g", "Ada", "session.start", "session", "s1", "a", "v", {"at": NINE, "why": ["é"]})
    async with with_sessions.write() as connection:
        log = AuditLog(connection)
        stored = []
        for n in range(5):
            new = replace(entry, at_ms=NINE + n, room="a" if n % 2 else "b", action=f"do.{n % 3}")
            stored.append(replace(new, id=await log.add(new)))
        stored.append(replace(entry, id=await log.add(replace(entry, who="clock", venue=None, target_id="s2"))))
        numbers = [item.id for item in stored]
        assert numbers == sorted(set(numbers))
        page = await log.page(4, None)
        rest = await log.page(4, page.cursor)
        assert [item.id for item in page.items + rest.items] == numbers[::-1]
        assert page.items[1:] == stored[4:1:-1]
        assert rest.cursor is None

        async def found(**query: Any) -> list[int]:
            return [numbers.index(item.id) for item in (await log.page(10, None, **query)).items]

        assert await found(room="b") == [4, 2, 0]
        assert await found(venue="v") == [4, 3, 2, 1, 0]
        assert await found(action="do.1") == [4, 1]
        assert await found(who="clock") == [5]
        assert await found(target=("session", "s2")) == [5]
        assert await found(from_ms=NINE + 1, until_ms=NINE + 3) == [2, 1]


async def test_logins_end_with_their_grant_and_with_time(with_sessions: Database) -> None:
    token = new_token()
    async with with_sessions.write() as connection:
        logins = Logins(connection)
        await Grants(connection).add(Grant(token.grant_id, Role.TECHNICIAN, event="days"), token.secret_sha256)
        mine = Login(hash_secret("1"), token.grant_id, NINE, NINE, NINE + 10, "Firefox")
        admin = Login(hash_secret("2"), None, NINE, NINE, NINE + 20)
        for login in (mine, admin, replace(admin, secret_sha256=hash_secret("3"), expires_ms=NINE + 5)):
            await logins.add(login)
        assert await logins.find(hash_secret("1")) == mine
        assert await logins.find(hash_secret("4")) is None
        assert await logins.of_grant(token.grant_id) == [mine]
        assert await logins.sweep(NINE + 5) == 1
        assert await logins.of_grant(None) == [admin]
        await logins.touch(hash_secret("2"), NINE + 3, NINE + 30)
        assert await logins.find(hash_secret("2")) == replace(admin, last_seen_ms=NINE + 3, expires_ms=NINE + 30)
        assert await logins.remove_of_grant(None, besides=hash_secret("2")) == 0
        assert await logins.remove_of_grant(None) == 1
        await Grants(connection).remove(token.grant_id)
        assert await logins.find(hash_secret("1")) is None
        with pytest.raises(Unprocessable):
            await logins.add(mine)


async def test_a_secret_is_replaced(with_sessions: Database) -> None:
    async with with_sessions.write() as connection:
        secrets = Secrets(connection)
        assert await secrets.find("admin_password") is None
        await secrets.put("admin_password", "one")
        await secrets.put("admin_password", "two")
        assert await secrets.find("admin_password") == "two"
        await secrets.remove("admin_password")
        assert await secrets.find("admin_password") is None


async def test_a_schedules_source_and_shown_imports_are_kept(with_sessions: Database) -> None:
    source = ScheduleSource("days", "https://x/s.xml", "g1", '"e"', "Mon", NINE, "404", "ab" * 32)
    no_defaults(source)
    preview = ImportPreview("p", "new-event", NINE, NINE + 10, {"added": [{"title": "é"}], "n": 1})
    async with with_sessions.write() as connection:
        sources, previews = ScheduleSources(connection), ImportPreviews(connection)
        await sources.put(source)
        await sources.put(replace(source, error=""))
        assert await sources.find("days") == replace(source, error="")
        assert await sources.all() == {"days": replace(source, error="")}
        with pytest.raises(Unprocessable):
            await sources.put(replace(source, event="none"))
        await sources.remove("days")
        assert await sources.find("days") is None
        await previews.add(preview)
        assert await previews.find("p") == preview
        assert await previews.sweep(NINE + 9) == 0
        assert await previews.sweep(NINE + 10) == 1
        assert await previews.find("p") is None
