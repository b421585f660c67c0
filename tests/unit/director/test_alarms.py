"""The alarms of a room: when they ring, are taken on and stop."""

from __future__ import annotations

import pytest

from streamer.conference import taps
from streamer.conference.alarm_causes import LEVEL, LOOK, PICTURE, SILENT, UPLINK
from streamer.conference.notices import WrongRoom
from streamer.conference.page_reports import InputReport, InputState, PageReport
from streamer.conference.readiness import BY_HAND
from streamer.conference.rooms import Room
from streamer.conference.sessions import Kind
from streamer.control.messages import MediaMeasure, MediaTrouble, SourceStatus
from streamer.director.news import AlarmsChanged
from streamer.errors import NotFound
from streamer.sections import AlarmSettings
from streamer.store.audit import AuditLog
from streamer.store.rooms import Rooms
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage


async def test_alarms_ring_are_taken_on_and_forgotten_when_they_stop(stage: Stage) -> None:
    talk = await stage.plan(10)
    await stage.at(6)
    codes = [alarm.code for alarm in stage.director.alarms("a")]
    assert codes == ["nothing_coming_in"]
    alarm = stage.director.alarms("a")[0]
    await stage.director.alarm_actions.acknowledge("a", alarm.id, TECHNICIAN)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.restart()
    await stage.at(7)
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    await stage.camera()
    assert stage.director.alarms("a") == ()
    assert stage.director.acknowledged("a") == {}
    with pytest.raises(NotFound):
        await stage.director.alarm_actions.acknowledge("a", alarm.id, TECHNICIAN)
    await stage.at(14)
    assert [alarm.code for alarm in stage.director.alarms("a")] == ["not_started"]
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert stage.director.alarms("a") == ()
    assert AlarmsChanged in {type(news) for news in stage.news}


async def test_a_key_of_another_room_rings_in_both(stage: Stage) -> None:
    async with stage.database.write() as connection:
        await Rooms(connection).add(Room("b", "Salle B", "paris"))
    await stage.director.refresh()
    stage.notices.wrong_room(WrongRoom("b", "a", "g2", "camera of A", "main", stage.now))
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
    await stage.director.run("a", taps.TakeSource("spare"), TECHNICIAN)
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
    await stage.director.alarm_actions.acknowledge("a", alarm.id, TECHNICIAN)
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


def trouble(code: str, since_ms: int, source: str = "main") -> MediaTrouble:
    return MediaTrouble(code, source, since_ms, {"level_db": -71.5})


async def watched(stage: Stage, *troubles: MediaTrouble, seconds: float = 2) -> list[str]:
    """The codes that are told after some seconds with these troubles in the room."""
    status = stage.plane.rooms["a"].status
    assert status is not None
    status.troubles = list(troubles)
    for _ in range(round(2 * seconds)):
        stage.now += 500
        await stage.look()
    return [alarm.code for alarm in stage.director.alarms("a")]


async def test_troubles_of_the_media_ring_with_their_source_and_session(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    began = stage.now
    assert await watched(stage, trouble("sound_silent", began)) == ["sound_silent"]
    (alarm,) = stage.director.alarms("a")
    assert (alarm.severity, alarm.since_ms, alarm.session) == ("ringing", began, talk)
    assert alarm.details == {"source": "main", "level_db": -71.5}
    assert await watched(stage, trouble("sound_silent", began), trouble("picture_dark", began)) == [
        "sound_silent",
        "picture_dark",
    ]
    assert [one.severity for one in stage.director.alarms("a")] == ["ringing", "warning"]
    assert await watched(stage, seconds=0.5) == []


async def test_media_ring_from_ten_minutes_before_the_start_to_the_end_and_never_in_a_pause(stage: Stage) -> None:
    """Keys, the disk and what else concerns the machine ring always."""
    talk = await stage.plan(30, tags=("physics",))
    await stage.camera()
    black = trouble("picture_black", NINE)
    await stage.at(19.9)
    assert await watched(stage, black) == []
    await stage.at(20)
    assert await watched(stage, black) == ["picture_black"]
    await stage.at(30)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    assert await watched(stage, black) == ["picture_black"]
    await stage.director.run("a", taps.HoldOn("Fire alarm"), TECHNICIAN)
    assert await watched(stage, black) == ["hold"]
    await stage.director.run("a", taps.Resume(), TECHNICIAN)
    await stage.director.run("a", taps.ShowSlate(True), TECHNICIAN)
    assert await watched(stage, black) == []
    await stage.director.run("a", taps.ShowSlate(False), TECHNICIAN)
    await stage.director.change(talk, {"tags": ("Film",)}, TECHNICIAN)
    assert await watched(stage, black) == []
    await stage.director.change(talk, {"tags": ()}, TECHNICIAN)
    assert await watched(stage, black) == ["picture_black"]
    await stage.director.run("a", taps.End(talk), TECHNICIAN)
    assert await watched(stage, black) == []


async def test_a_planned_break_is_quiet(stage: Stage) -> None:
    await stage.plan(0, 10, kind=Kind.BREAK)
    await stage.plan(10)
    await stage.camera()
    assert await watched(stage, trouble("sound_silent", NINE)) == []
    await stage.at(10)
    assert await watched(stage, trouble("sound_silent", NINE)) == ["sound_silent"]


async def test_what_the_crew_said_of_an_alarm_survives_a_restart_and_its_coming_back(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    silent, loud, hum = (trouble(code, NINE) for code in ("sound_silent", "sound_loud", "sound_hum"))
    await watched(stage, silent)
    (alarm,) = stage.director.alarms("a")
    await stage.director.alarm_actions.acknowledge("a", alarm.id, TECHNICIAN)
    assert await watched(stage, seconds=20) == []
    assert stage.director.acknowledged("a") == {}
    await stage.restart()
    await watched(stage, trouble("sound_silent", stage.now))
    assert stage.director.acknowledged("a")[alarm.id].label == "Anna"
    assert stage.director.alarms("a")[0].times == 2
    await watched(stage, loud, hum)
    silenced, meant = stage.director.alarms("a")
    told = await stage.director.alarm_actions.snooze("a", silenced.id, 10, TECHNICIAN)
    assert (told.severity, told.snoozed_until_ms) == ("warning", stage.now + 10 * MINUTE)
    await stage.director.alarm_actions.normal("a", meant.id, TECHNICIAN)
    assert [one.id for one in stage.director.alarms("a")] == [silenced.id]
    await stage.restart()
    assert await watched(stage, loud, hum) == [silenced.code]
    assert stage.director.alarms("a")[0].snoozed_until_ms == told.snoozed_until_ms
    assert [one.alarm for one in stage.director.alarm_actions.normals("a")] == [meant.id]
    await stage.director.alarm_actions.not_normal("a", meant.id, TECHNICIAN)
    assert len(await watched(stage, loud, hum)) == 2
    await stage.at(12)
    assert {one.severity for one in stage.director.alarms("a")} == {"ringing"}
    async with stage.database.read() as connection:
        entries = (await AuditLog(connection).page(50, None)).items
    assert {"alarm.acknowledge", "alarm.snooze", "alarm.normal", "alarm.not_normal"} <= {one.action for one in entries}


async def test_a_recording_that_is_not_kept_rings_for_the_operator_unless_the_disk_says_so_already(
    stage: Stage,
) -> None:
    link = await stage.camera()
    stage.director.room_alarms.unkept = {"a": True}.__getitem__
    await stage.look()
    (alarm,) = stage.director.alarms("a")
    assert (alarm.code, alarm.owner, alarm.severity) == ("recording_fails", "operator", "ringing")
    assert link.status is not None
    link.status.alarms = ["disk_full"]
    await stage.look()
    assert "disk_full" in {one.code for one in stage.director.alarms("a")}
    await stage.at(1)
    assert [one.code for one in stage.director.alarms("a")] == ["disk_full"]


async def test_what_was_heard_and_seen_in_a_rehearsal_survives_a_restart_until_the_source_changes(stage: Stage) -> None:
    await stage.plan(8)
    assert stage.director.readiness_at_a_glance("a")[0] == "not_yet"
    link = await stage.camera()
    assert link.status is not None
    link.status.sources = {"main": SourceStatus("main", up=True, publication="one", since_ms=stage.now - 1000)}
    link.status.measures = {"main": MediaMeasure(-19.2, heard_ms=stage.now, voice_ms=stage.now, moved_ms=stage.now)}
    await stage.look()
    assert stage.director.readiness_at_a_glance("a") == ("not_yet", ("framing", "focus"))
    for line in BY_HAND:
        stage.director.effects.rehearsals.seen(stage.director.day("a"), link, line, "Anna", stage.now)
    await stage.look()
    link.status.measures = {}
    await stage.restart()
    assert stage.director.readiness_at_a_glance("a") == ("ready", ())
    found = stage.director.effects.rehearsals.readiness(Room("a", "Salle A"), stage.director.day("a"), link, stage.now)
    assert {line.by for line in found.lines if line.name in BY_HAND} == {"Anna"}
    link.status.sources["main"].publication = "another"
    assert set(stage.director.readiness_at_a_glance("a")[1]) == {"level", "voice", "picture", *BY_HAND}
    await stage.restart()
    assert stage.director.readiness_at_a_glance("a")[0] == "not_yet"


async def test_while_the_web_process_finds_the_room_again_nothing_rings_twice(stage: Stage) -> None:
    talk = await stage.plan(0)
    link = await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    await watched(stage, trouble("picture_frozen", NINE))
    before = stage.director.alarms("a")
    link.up = False
    await stage.restart()
    await stage.look()
    assert stage.director.alarms("a") == before
    link.up = True
    await stage.look()
    assert stage.director.alarms("a") == before


async def test_a_process_that_died_is_told_although_another_is_there_at_once(stage: Stage) -> None:
    link = await stage.camera()
    assert link.status is not None
    link.up = False
    await stage.look()
    assert [one.code for one in stage.director.alarms("a")] == []
    assert await watched(stage, seconds=2) == ["room_down"]
    link.up, link.status.pid = True, 2
    assert await watched(stage, seconds=20) == ["room_down"]
    assert await watched(stage, seconds=20) == []
    link.status.pid = 3
    assert await watched(stage, seconds=1) == ["room_down"]
    (alarm,) = stage.director.alarms("a")
    assert (alarm.severity, alarm.owner, alarm.times) == ("ringing", "operator", 2)
    await watched(stage, seconds=40)
    link.up, link.ended = False, True
    assert await watched(stage, seconds=5) == [], "it was closed"
    link.up, link.ended, link.status.pid = True, False, 4
    assert await watched(stage, seconds=5) == [], "it was opened again"


async def test_a_room_that_is_seen_without_a_session_rings_in_the_middle_of_the_day(stage: Stage) -> None:
    await stage.plan(60)
    link = await stage.camera()
    assert link.status is not None
    link.status.shows = {"public": "programme"}
    assert await watched(stage, seconds=4) == []
    assert await watched(stage, seconds=4) == ["on_air_without_session"]
    link.status.shows = {"public": "slate"}
    assert await watched(stage, seconds=1) == []


async def test_a_session_whose_end_was_forgotten_rings_where_nobody_speaks_or_moves(stage: Stage) -> None:
    talk = await stage.plan(0, 10)
    link = await stage.camera()
    assert link.status is not None
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    link.status.measures = {"": MediaMeasure(voice_ms=NINE + 12 * MINUTE, moved_ms=NINE + 13 * MINUTE)}
    await stage.at(17.9)
    assert await watched(stage, seconds=1) == []
    await stage.at(18)
    assert await watched(stage, seconds=1) == ["forgotten_end"]
    link.status.measures = {"": MediaMeasure(voice_ms=stage.now)}
    assert await watched(stage, seconds=1) == []


async def test_sound_that_somebody_has_muted_is_no_silence(stage: Stage) -> None:
    talk = await stage.plan(0)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    status = stage.plane.rooms["a"].status
    assert status is not None
    status.on_programme = "main"
    quiet = trouble("sound_silent", NINE), trouble("sound_silent", NINE, source="")
    assert await watched(stage, *quiet) == ["sound_silent"]
    await stage.director.run("a", taps.SetSource("main", mute=True), TECHNICIAN)
    assert await watched(stage, *quiet) == []


async def test_rooms_are_told_the_operators_on_times(stage: Stage) -> None:
    assert AlarmSettings().media_rules() == {}
    stage.alarm_settings = AlarmSettings(sound_silent_s=30, upload_weak_s=4, disk_hours=3, forgotten_end_minutes=2)
    await stage.restart()
    await stage.camera()
    assert stage.ordered().media_rules == {"sound_silent": 30.0, "upload_weak": 4.0}
    names = {name.removesuffix("_s") for name in AlarmSettings.model_fields if name.endswith("_s")} - {"lapel_muted"}
    assert names == {*UPLINK, *PICTURE, *SILENT, *LEVEL, *LOOK, "encoder_slow"}


async def test_the_page_names_the_cause_of_what_the_room_misses(stage: Stage) -> None:
    talk = await stage.plan(0)
    link = await stage.camera()
    assert link.status is not None
    link.status.on_programme = "main"
    link.status.sources["main"] = SourceStatus("main", up=True)
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    reports, day = stage.director.room_alarms.page_reports, stage.director.day("a")

    def says(state: InputState) -> None:
        reports.take(day, "main", PageReport((InputReport("microphone", state, "Lapel"),)), stage.now)

    says("live")
    began = stage.now
    for _ in range(5):
        stage.now += 1000
        says("unplugged")
        told = await watched(stage, trouble("sound_dead", began), trouble("sound_dead", began, ""), seconds=0.5)
    assert told == ["device_unplugged"]
    assert stage.director.alarms("a")[0].details == {"source": "main", "device": "Lapel"}
    reports.take(day, "main", PageReport((InputReport("microphone", suppression=True),)), stage.now)
    assert await watched(stage, trouble("sound_dead", stage.now - 20_000), seconds=2.5) == []
    assert stage.ordered().suppressed_sources == ("main",)
    says("live")
    # The lid is closed.
    link.status.sources["main"].up = False
    await stage.camera(up=False)
    assert await watched(stage, seconds=0.5) == ["on_air_without_media"]
    (gone,) = stage.director.alarms("a")
    assert await watched(stage, seconds=3) == ["laptop_asleep"]
    assert stage.director.alarms("a")[0].id == gone.id, "one ring"


@pytest.mark.parametrize(("people", "viewers", "rings"), [(2, 10, False), (3, 60, True), (3, 61, False), (4, 61, True)])
def test_three_viewers_and_five_percent_of_those_who_play_ring(people: int, viewers: int, rings: bool) -> None:
    assert AlarmSettings().enough_viewers(people, viewers) == rings
