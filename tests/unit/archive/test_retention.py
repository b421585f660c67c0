"""Old recordings, and pictures that nothing has any more, are deleted."""

from __future__ import annotations

import os
import shutil

from streamer.archive.editing import Edit, edit
from streamer.archive.repository import Who
from streamer.archive.retention import Retention
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues
from tests.fakes.archived import Archive

ORGANISER = Who("grant-1", "Anne")


async def test_retention_takes_what_is_old_and_shows_it_before(kept: Archive) -> None:
    await kept.ready()
    for name in ("pinned", "growing"):
        await kept.on_air(3, name)
    await kept.ended(6, "pinned")
    await edit(kept.archivist, "pinned", Edit(pinned=True), ORGANISER)
    retention = Retention(kept.archivist, kept.database)
    kept.later_ms = 40 * 24 * 3600 * 1000
    assert (await retention.plan()).items == (), "no days, no end"
    async with kept.database.write() as connection:
        await Rooms(connection).save(Room("salle", "Grande salle", retention_days=30))
    plan = await retention.plan()
    assert [d.recording.session for d in plan.items] == ["talk"]
    assert plan.freed_bytes < 50_000, "the room and another recording have the same media files"
    shutil.rmtree(kept.settings.room_dir("salle"))
    assert (await retention.plan(days=90)).items == ()
    await edit(kept.archivist, "talk", Edit(pinned=True), ORGANISER)
    assert await retention.apply(plan) == [], "pinned between the look and the deed"
    await edit(kept.archivist, "talk", Edit(pinned=False), ORGANISER)
    assert await retention.apply(await retention.plan()) == ["talk"]
    assert not kept.archivist.repository.folder("talk").exists()
    assert kept.archivist.repository.folder("pinned").exists()
    assert kept.archivist.repository.folder("growing").exists()


async def test_pictures_that_nothing_has_any_more_are_deleted(kept: Archive) -> None:
    used = {"covers": ["/covers/" + "a" * 24 + ".jpg"], "logos": [f"/logos/{n}{'b' * 23}.png" for n in range(2)]}
    gone = ["/covers/" + "c" * 24 + ".jpg", "/logos/" + "c" * 24 + ".png"]
    fresh, foreign = "/covers/" + "d" * 24 + ".jpg", "/logos/partner.png"
    data = kept.settings.data
    now_s = kept.archivist.clock() / 1000
    for address in (*used["covers"], *used["logos"], *gone, fresh, foreign):
        file = data / address[1:]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
        os.utime(file, (now_s, now_s - (3600 if address == fresh else 25 * 3600)))
    async with kept.database.write() as connection:
        await Venues(connection).add(Venue("v", "V", cover=used["covers"][0]))
        await Events(connection).add(Event("e", "E", logo=used["logos"][0], logos=(used["logos"][1],)))
    retention = Retention(kept.archivist, kept.database, data=data)
    assert (await retention.clean_pictures(), await retention.clean_pictures()) == (2, 0)
    left = {f"/{folder}/{file.name}" for folder in used for file in (data / folder).iterdir()}
    assert left == {*used["covers"], *used["logos"], fresh, foreign}
