"""The studio's events about the room's media and alarms."""

from __future__ import annotations

import msgspec
import pytest

from streamer.conference.alarms import Alarm
from streamer.control.messages import SourceStatus, TrackStatus
from streamer.realtime import feed, pulse
from tests.fakes.talking import served
from tests.fakes.waiting import until

READING = {"sound": {"momentary_lufs": -23.0}, "picture": {"black": False}}


async def test_publications_come_change_and_go() -> None:
    async with served() as service:
        room = await service.open_room("a")
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        viewer = await service.connect(room="a")
        assert studio.snapshots[0]["rooms"]["a"]["publications"] == []
        status = room.status
        assert status is not None
        source = SourceStatus("main", True, "p1", "OBS", video=TrackStatus("h264", 3_000_000, width=1280, height=720))
        status.sources["main"] = source
        service.plane.tell(room, "status")
        up = await studio.told("publication.changed")
        assert (up["data"]["up"], up["data"]["video"], up["data"]["client"]) == (True, "h264 1280x720", "OBS")
        # Bitrate and packets change all the time: that is no news.
        assert source.video is not None
        source.video.bitrate += 1000
        source.last_packet_ms += 1000
        service.plane.tell(room, "status")
        status.sources["main"] = msgspec.structs.replace(source, up=False)
        service.plane.tell(room, "status")
        await studio.told("publication.changed", lambda data: not data["up"] and data["publication"] == "p1")
        late = await service.connect("/studio", room="a", token="anna")
        assert late.snapshots[0]["rooms"]["a"]["publications"][0]["source"] == "main"
        del status.sources["main"]
        service.plane.tell(room, "status")
        await studio.told("publication.changed", lambda data: data["publication"] == "")
        assert len(studio.of("publication.changed")) == 3
        service.realtime.hub.post("/audience", "a", "test", "mark")
        await viewer.told("test")
        assert not viewer.of("publication.changed")


async def test_meters_reach_the_studio_a_few_times_a_second_and_nobody_else() -> None:
    async with served() as service:
        room = await service.open_room("a")
        service.access.admit("anna", "technician", room="a")
        service.access.admit("mia", "moderator", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        moderator = await service.connect("/moderation", room="a", token="mia")
        room.meters = READING
        for _ in range(50):
            service.plane.tell(room, "meters")
        told = await studio.told("meters")
        assert told["data"] == {"room": "a", "meters": READING}
        assert service.realtime.stats.replaced_total == 49
        service.realtime.hub.post("/moderation", "a", "test", "mark")
        await moderator.told("test")
        assert not moderator.of("meters")
        late = await service.connect("/studio", room="a", token="anna")
        assert late.snapshots[0]["rooms"]["a"]["meters"] == {"room": "a", "meters": READING}


async def test_the_newest_meters_of_all_rooms_are_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    # The test looks, not the clock. The wall's pulse would be a message, too.
    monkeypatch.setattr(feed, "LOOK_S", 3600)
    monkeypatch.setattr(pulse, "PULSE_S", 3600)
    async with served() as service:
        rooms = [await service.open_room(name) for name in ("a", "b")]
        service.access.admit("all", "admin")
        wall = await service.connect("/studio", room="*", token="all")
        for level in (-30, -20):
            for room in rooms:
                room.meters = {"sound": {"momentary_lufs": level}, "picture": {}}
                service.plane.tell(room, "meters")
                service.realtime.hub.post("/studio", "*", "test", f"{room.room} {level}")
                await wall.told("test", lambda data, mark=f"{room.room} {level}": data == mark)
        assert not wall.of("meters")
        before = len(wall.batches)
        service.realtime.feed.look()
        for name in ("a", "b"):
            await wall.told("meters", lambda data, name=name: data["room"] == name)
        assert [event["data"]["meters"]["sound"]["momentary_lufs"] for event in wall.of("meters")] == [-20, -20]
        assert len(wall.batches) == before + 1


@pytest.mark.usefixtures("either_way")
async def test_the_wall_hears_each_rooms_pulse_and_how_old_it_is() -> None:
    async with served() as service:
        room = await service.open_room("a")
        service.access.admit("anna", "technician", room="a")
        service.access.admit("all", "admin")
        wall = await service.connect("/studio", room="*", token="all")
        own = await service.connect("/studio", room="*", token="anna")
        studio = await service.connect("/studio", room="a", token="anna")
        pulses, now = service.realtime.pulses, [1000.0]
        pulses._clock = lambda: now[0]
        pulses._viewers_of = {"a": 7}.__getitem__
        service.plane.tell(room, "status")
        now[0] += 4.2
        pulses.beat()
        told = await wall.told("pulse", lambda data: data["room"] == "a" and data["age_ms"] == 4200)
        assert told["data"]["viewers"] == 7
        assert (told["data"]["readiness"], told["data"]["missing"]) == ("not_yet", ["voice", "focus"])
        assert (await wall.told("pulse", lambda data: data["room"] == "b"))["data"]["age_ms"] is None
        await own.told("pulse")
        assert {event["data"]["room"] for event in own.of("pulse")} == {"a"}, "of its own rooms alone"
        service.realtime.hub.post("/studio", "a", "test", "mark")
        await studio.told("test")
        assert not studio.of("pulse")


async def test_a_publication_that_outlives_its_grant_is_told_by_name() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        alarm = Alarm("grant_expired:a:Camera", "grant_expired", "warning", 1, "technician", None, {"label": "Camera"})
        service.director.ring("a", alarm)
        expired = await studio.told("grant.expired")
        assert expired["data"] == {"room": "a", "label": "Camera"}
        service.director.ring("a", alarm)
        service.director.ring("a")
        await studio.told("alarm", lambda data: not data["ringing"])
        assert len(studio.of("grant.expired")) == 1


async def test_what_an_output_shows_is_told_when_it_shows_it() -> None:
    async with served() as service:
        viewer = await service.connect(room="a")
        room = await service.open_room("a", "slate")
        await viewer.told("broadcast.changed", lambda data: data["state"] == "slate")
        room.state = "live"
        await viewer.told("broadcast.changed", lambda data: data["state"] == "live")
        del service.plane.rooms["a"]
        await viewer.told("broadcast.changed", lambda data: data["state"] == "off")


async def test_a_room_that_is_removed_closes_its_clients_and_a_new_one_opens() -> None:
    async with served() as service:
        viewer = await service.connect(room="b")
        service.access.admit("root", "admin")
        everywhere = await service.connect("/studio", room="*", token="root")
        room = service.director.rooms.pop("b")
        del service.director.days["b"]
        await until(lambda: viewer.closed)
        assert viewer.closed[0]["error"]["code"] == "no_such_room"
        service.director.rooms["c"] = room
        service.director.days["c"] = type(service.director.days["a"])("c")
        service.realtime.feed.look()
        service.director.plan("s", 60, room="c")
        told = await everywhere.told("session.changed")
        assert told["data"]["room"] == "c"
