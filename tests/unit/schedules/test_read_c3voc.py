"""schedule.json in both versions, as pretalx, frab and the hub write it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamer.conference.schedule import Schedule
from streamer.conference.sessions import Flag, Kind
from streamer.schedules.detect import read_schedule
from streamer.schedules.reading import Unreadable

NINE = 1_777_878_000_000
HOUR = 3_600_000


def read(document: Any) -> Schedule:
    return read_schedule(json.dumps(document).encode(), timezone="Europe/Paris", now_ms=NINE)


def version_1(*events: Any, rooms: Any = None, **conference: Any) -> dict[str, Any]:
    day = {"index": 1, "date": "2026-05-04", "day_start": "2026-05-04T04:00:00+02:00",
           "day_end": "2026-05-05T03:59:00+02:00", "rooms": {"Gray Room": list(events), "Tan Room": []}}  # fmt: skip
    named = {"acronym": "democon", "title": "DemoCon", "days": [day], "time_zone_name": "Europe/Paris", **conference}
    if rooms is not None:
        named["rooms"] = rooms
    return {"$schema": "x", "schedule": {"version": "v1", "base_url": "https://a.org/s/", "conference": named}}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "id": 25, "guid": "8079583e-8321-506c-95af-fd2903a5f075", "logo": "", "date": "2026-05-04T09:00:00+02:00",
        "start": "09:00", "duration": "01:00", "room": "Gray Room", "title": "One", "subtitle": None, "track": None,
        "type": "Talk", "language": "en", "abstract": "A", "description": "", "do_not_record": None, "persons": [],
        **fields,
    }  # fmt: skip


def test_version_1_with_nulls_everywhere_and_one_guid_for_two_rooms() -> None:
    rooms = [{"name": "Gray Room", "guid": "same", "capacity": None}, {"name": "Tan Room", "guid": "same"}]
    schedule = read(version_1(event(track=None, persons=[{"id": 1, "code": "A", "public_name": "Ada"}]), rooms=rooms))
    (item,) = schedule.items
    assert (item.start_ms, item.end_ms, item.room, item.speakers) == (NINE, NINE + HOUR, "Gray Room", ("Ada",))
    assert (item.subtitle, item.track, item.id) == ("", "", "25")
    assert item.unsaid >= {"subtitle", "track", "do_not_record", "do_not_stream"}
    assert [(room.name, room.guid) for room in schedule.rooms] == [("Gray Room", ""), ("Tan Room", "")]
    assert [warning.code for warning in schedule.warnings] == ["duplicate_room_guid"] * 2
    assert (schedule.day_change_minutes, schedule.url) == (240, "https://a.org/s/")


@pytest.mark.parametrize(
    ("value", "flag", "said"),
    [(True, Flag.YES, True), (False, Flag.NO, True), (None, Flag.NO, False), ("true", Flag.YES, True),
     ("no", Flag.NO, True), ("", Flag.NO, False), ("ask", Flag.ASK, True), ("not in the archive", Flag.YES, True)],
)  # fmt: skip
def test_flags_true_false_null_and_in_words(value: Any, flag: Flag, said: bool) -> None:
    (item,) = read(version_1(event(do_not_record=value, do_not_stream=value))).items
    assert (item.do_not_record, item.do_not_stream) == (flag, flag)
    assert ({"do_not_record", "do_not_stream"} <= item.unsaid) is not said


def test_the_lists_of_version_1_as_other_programs_write_them() -> None:
    changed = version_1(
        event(persons=["Ada", {"full_public_name": "Bob"}, None, 3], links=[{"url": "https://a.org"}, 7])
    )
    day = changed["schedule"]["conference"]["days"][0]
    day["rooms"] = [{"name": "Gray Room", "events": day["rooms"]["Gray Room"]}, {"name": "Tan Room"}]
    schedule = read(changed)
    assert schedule.items[0].speakers == ("Ada", "Bob", "3")
    assert schedule.items[0].links == (("", "https://a.org"),)
    assert [room.name for room in schedule.rooms] == ["Gray Room", "Tan Room"]


def test_an_event_that_is_none_costs_itself() -> None:
    schedule = read(version_1("x", event(), {"title": "No time"}, None))
    assert [item.title for item in schedule.items] == ["One"]
    assert sorted(warning.code for warning in schedule.warnings) == ["no_object", "no_object", "no_start"]


def test_schedule2_with_references_states_and_room_features() -> None:
    def talk(guid: str, hour: int, **fields: Any) -> dict[str, Any]:
        return {
            "guid": guid, "start": f"2026-05-04T{hour:02d}:00:00+02:00", "end": f"2026-05-04T{hour:02d}:40:00+02:00",
            "room": {"guid": "r1"}, "title": guid, "type": "TALK", **fields,
        }  # fmt: skip

    schedule = read(
        {
            "schedule": {
                "version": "2",
                "conference": {
                    "title": "38", "acronym": "38", "start": "2026-05-04T07:30:00+00:00",
                    "time_zone_name": "Europe/Paris", "languages": ["en", "de"], "defaults": {"language": "en"},
                    "tracks": [{"slug": "sec", "name": "Security"}],
                    "rooms": [
                        {"name": "Saal 1", "slug": "saal-1", "guid": "r1", "capacity": 3025},
                        {"name": "Yell", "guid": "r2", "slug": "yell",
                         "features": {"recording": "RECORDING_FORBIDDEN"}},
                        {"name": "Huff", "slug": "huff", "features": {"recording": "NOT_RECORDED_BY_DEFAULT"}},
                    ],
                },
                "events": [
                    talk("a", 9, track={"slug": "sec"}, participants=[{"guid": "p", "name": "Ada", "role": "SPEAKER"}],
                         abstract={"de": "Hallo", "en": "Hello"}, links=[{"type": "ORIGIN", "url": "https://a.org"}],
                         logo={"url": "https://a.org/l.png"}),
                    talk("b", 10, state="CANCELED"),
                    talk("c", 11, state="DRAFT"),
                    talk("d", 12, room={"slug": "yell"}, track=None),
                    talk("e", 13, room={"name": "Huff", "slug": "huff"}),
                    {"type": "BREAK", "title": "Lunch", "start": "2026-05-04T14:00:00+02:00",
                     "end": "2026-05-04T15:00:00+02:00"},
                    talk("f", 16, room={"guid": "unknown"}),
                ],
            }
        }
    )  # fmt: skip
    found = {item.guid or item.title: item for item in schedule.items}
    assert list(found) == ["a", "b", "d", "e", "Lunch", "f"]
    first = found["a"]
    assert (first.room, first.track, first.abstract, first.logo) == (
        "Saal 1",
        "Security",
        "Hello",
        "https://a.org/l.png",
    )
    assert (first.start_ms, first.end_ms, first.speakers) == (NINE, NINE + 40 * 60_000, ("Ada",))
    assert found["b"].cancelled
    assert (found["d"].do_not_record, found["e"].do_not_record) == (Flag.YES, Flag.ASK)
    assert found["Lunch"].kind is Kind.BREAK
    assert [(room.name, room.capacity) for room in schedule.rooms] == [("Saal 1", 3025), ("Yell", None), ("Huff", None)]
    assert sorted(warning.code for warning in schedule.warnings) == ["no_room", "no_room", "unconfirmed"]
    assert schedule.language == "en"


def test_rooms_in_the_wrong_place_are_refused_with_all_that_is_wrong() -> None:
    bad = version_1(event(id="2814", answers=[], persons=[{"id": "x", "code": "MÄa", "public_name": "M"}]))
    bad["schedule"]["rooms"] = [{"name": "Gray Room", "guid": "g"}]
    with pytest.raises(Unreadable) as caught:
        read(bad)
    reasons = caught.value.details["reasons"]
    assert "schedule.rooms is not allowed" in reasons[0]
    assert len(reasons) == 5
    # By itself none of the others is worth a refusal.
    del bad["schedule"]["rooms"]
    assert read(bad).items[0].id == "2814"


def test_pictures_of_people_are_read_as_pretalx_and_the_hub_write_them() -> None:
    people = [
        {"public_name": "Ada", "avatar": "https://p.example/ada.jpg"},
        {"name": "Bo", "avatar": {"url": "https://h.example/bo.png"}},
        {"name": "Cy", "avatar": None},
        {"name": "Di", "avatar": "javascript:alert(1)"},
    ]
    (one,) = read(version_1(event(persons=people))).items
    assert one.speakers == ("Ada", "Bo", "Cy", "Di")
    assert one.portraits == (("Ada", "https://p.example/ada.jpg"), ("Bo", "https://h.example/bo.png"))
    assert "portraits" not in one.unsaid
    (silent,) = read(version_1(event(persons=[{"public_name": "Ada"}, "Bo"]))).items
    assert (silent.portraits, "portraits" in silent.unsaid) == ((), True)
