"""The alarms of a room: when they ring, are taken on and stop."""

from __future__ import annotations

import pytest

from streamer.conference import taps
from streamer.conference.notices import WrongRoom
from streamer.conference.rooms import Room
from streamer.director.news import AlarmsChanged
from streamer.errors import NotFound
from streamer.store.rooms import Rooms
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage


async def test_alarms_ring_are_taken_on_and_forgotten_when_they_stop(stage: Stage) -> None:
    talk = await stage.plan(10)
    await stage.at(6)
    codes = [alarm.code for alarm in stage.director.alarms("a")]
    assert codes == ["nothing_coming_in"]
    alarm = stage.director.alarms("a")[0]
    await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.restart()
    await stage.at(7)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.camera()
    assert stage.director.alarms("a") == ()
    assert stage.director.acknowledged("a") == {}
    with pytest.raises(NotFound):
        await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    await stage.at(14)
    assert [alarm.code for alarm in stage.director.alarms("a")] == ["not_started"]
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert stage.director.alarms("a") == ()
    assert AlarmsChanged in {type(news) for news in stage.news}


async def test_a_key_of_another_room_rings_in_both(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("b", "Salle B", "paris"))
    await stage.director.refresh()
    stage.notices.wrong_room(WrongRoom("b", "a", None, "g2", "camera of A", "main", stage.now))
    await stage.look()
    for room in ("a", "b"):
        ringing = stage.director.alarms(room)
        assert [alarm.code for alarm in ringing] == ["wrong_room_key"]
        assert ringing[0].details["label"] == "camera of A"


async def test_two_encoders_with_one_link_ring_as_long_as_they_fight(stage: Stage) -> None:
    await stage.camera()
    link = stage.plane.rooms["a"]
    assert link.status is not None
    link.status.duels = {"main": NINE}
    await stage.look()
    (alarm,) = (alarm for alarm in stage.director.alarms("a") if alarm.code == "publication_duel")
    assert (alarm.level, alarm.since_ms, alarm.details) == ("alarm", NINE, {"source": "main"})
    link.status.duels = {}
    await stage.look()
    assert "publication_duel" not in [alarm.code for alarm in stage.director.alarms("a")]


async def test_running_on_the_spare_rings_until_the_main_source_is_back_or_the_spare_is_meant(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    status = stage.plane.rooms["a"].status
    assert status is not None
    status.on_programme = "spare"
    await stage.look()
    assert stage.director.alarms("a") == (), "nobody is on air"
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    (alarm,) = stage.director.alarms("a")
    assert (alarm.code, alarm.level, alarm.session) == ("running_on_spare", "alarm", talk)
    assert (alarm.details, alarm.owner) == ({"source": "main"}, "technician")
    status.on_programme = "main"
    await stage.look()
    assert stage.director.alarms("a") == ()
    status.on_programme = "spare"
    await stage.director.run("a", taps.Take("spare"), TECHNICIAN)
    await stage.look()
    assert stage.director.alarms("a") == ()


async def test_what_several_viewers_report_rings_until_they_are_quiet(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)

    async def report(people: int, kind: str = "no_sound") -> None:
        stage.notices.complaint("a", kind, people, stage.now, session=talk, enough=people >= 3)
        await stage.look()

    await report(2)
    assert stage.director.alarms("a") == ()
    await stage.at(0.5)
    await report(3)
    (alarm,) = stage.director.alarms("a")
    assert (alarm.code, alarm.level, alarm.session) == ("viewers_no_sound", "alarm", talk)
    assert (alarm.details, alarm.since_ms) == ({"people": 3}, NINE + MINUTE // 2)
    await stage.director.acknowledge("a", alarm.id, TECHNICIAN)
    # One more keeps it ringing, and whoever has taken it on still has.
    await stage.at(3)
    await report(1)
    await report(3, "stutter")
    assert [(a.code, a.level) for a in stage.director.alarms("a")] == [
        ("viewers_no_sound", "alarm"),
        ("viewers_stutter", "warning"),
    ]
    await stage.at(5.5)
    assert alarm.id in stage.director.acknowledged("a")
    await stage.at(6)
    assert stage.director.alarms("a") == ()
    assert alarm.id not in stage.director.acknowledged("a")
    await report(1)
    assert stage.director.alarms("a") == ()


async def test_less_than_an_hour_of_disk_rings_for_the_operator(stage: Stage) -> None:
    stage.free = 500_000_000
    await stage.restart()
    await stage.camera()
    alarms = {alarm.code: alarm for alarm in stage.director.alarms("a")}
    assert alarms["disk_low"].owner == "operator"
