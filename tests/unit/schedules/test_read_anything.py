"""Any upload gives a schedule or Unreadable, never another error, and in bounded time."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.conference.schedule import Schedule
from streamer.schedules.detect import read_schedule
from streamer.schedules.matching import matcher_of
from streamer.schedules.reading import MAX_BYTES, Unreadable
from tests.fakes.chance import examples

NOW_MS = 1_790_000_000_000

XML = b"""<?xml version="1.0" encoding="utf-8"?>
<schedule><version>1</version><conference><title>Day</title><acronym>day1</acronym><start>2026-05-04</start>
<time_zone_name>Europe/Paris</time_zone_name></conference>
<day index="1" date="2026-05-04" start="2026-05-04T08:00:00+02:00" end="2026-05-05T04:00:00+02:00">
<room name="Hall" guid="7a0fc001-e587-47e1-b378-b6ec7e666337"><event guid="8abb9efc-3c12-5a88-b1dd-e721705d3095" id="1">
<date>2026-05-04T09:00:00+02:00</date><start>09:00</start><duration>00:45</duration><title>One &amp; two</title>
<persons><person id="1">Ada</person></persons><links><link href="https://a.org">A</link></links>
<recording><license/><optout>true</optout></recording></event></room></day></schedule>"""

JSON = json.dumps(
    {
        "schedule": {
            "version": "1",
            "conference": {
                "title": "Day",
                "acronym": "day1",
                "rooms": [{"name": "Hall", "guid": "g", "capacity": 12, "features": {"recording": "unknown"}}],
                "tracks": [{"slug": "t", "name": "Track"}],
                "days": [
                    {
                        "index": 1,
                        "date": "2026-05-04",
                        "day_start": "2026-05-04T08:00:00+02:00",
                        "rooms": {"Hall": [{"id": 1, "title": "One", "date": "2026-05-04T09:00:00+02:00"}]},
                    }
                ],
            },
            "events": [{"guid": "x", "start": "2026-05-04T09:00:00Z", "room": {"slug": "h"}, "track": {"slug": "t"}}],
        }
    }
).encode()

ICS = b"""BEGIN:VCALENDAR
X-WR-CALNAME:Day
BEGIN:VTIMEZONE
TZID:Own
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:a@b
DTSTART;TZID=Own:20260504T090000
DURATION:PT45M
RRULE:FREQ=WEEKLY;COUNT=5;BYDAY=MO
EXDATE;TZID=Own:20260511T090000
RDATE;VALUE=DATE:20260512
SUMMARY:One
LOCATION;CHARSET=UTF-8:Hall
CATEGORIES:Talk,Linux
ATTACH:https://a.org/b.pdf
END:VEVENT
BEGIN:VEVENT
UID:a@b
RECURRENCE-ID;RANGE=THISANDFUTURE:20260518T080000Z
DTSTART;TZID=Own:20260518T100000
DTEND;TZID=Own:20260518T110000
END:VEVENT
END:VCALENDAR
"""

SEEDS = (XML, JSON, ICS)
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"<", b">", b"<a>", b"</day>", b"&nbsp;", b"&", b"\x00", b"\xff", b"9" * 40, b"-1", b"null", b"[]", b"{}",
         b'"', b"true", b"1e999", b"\n", b"\r\n ", b"BEGIN:VEVENT\n", b"END:VEVENT\n", b"UNTIL=99991231",
         b";INTERVAL=0",
         b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", b"FREQ=SECONDLY", b"BYSETPOS=400", b"TZID=Nowhere", b"00010101T000000",
         b"99991231T235959", b"0000-00-00", b"2026-13-45T99:99:99+99:99", b"\xed\xa0\x80", b"VALUE=DATE:",
         b"VALUE=PERIOD:"]
    ),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 30))
        data = data[:at] + draw(PIECES) + data[at + cut :]
    return data


def read(data: bytes) -> Schedule:
    return read_schedule(data, timezone="Europe/Paris", now_ms=NOW_MS)


def read_or_reasons(data: bytes) -> Schedule | list[str]:
    try:
        return read(data)
    except Unreadable as error:
        return list(error.details["reasons"])


@settings(max_examples=examples(200), deadline=2000)
@given(damaged())
@example(b"{" * 100_000)
@example(b"[" * 100_000)
@example(b"<a>" * 100_000)
@example(b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 100_000)
@example(b'{"schedule": {"conference": {"days": [' + b"9" * 5000 + b"]}}}")
def test_damaged_schedules_are_read_or_refused(data: bytes) -> None:
    schedule = read_or_reasons(data)
    if not isinstance(schedule, Schedule):
        assert schedule
        return
    names = {room.name for room in schedule.rooms} | {""}
    assert len({item.guid or item.id for item in schedule.items}) == len(schedule.items)
    for item in schedule.items:
        assert item.title
        assert item.room in names
        assert 0 < item.end_ms - item.start_ms <= 31 * 86_400_000


@settings(max_examples=examples(50), deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists))
def test_values_of_any_type_in_json_are_no_accident(value: object) -> None:
    document = json.loads(JSON)
    day = document["schedule"]["conference"]["days"][0]
    event = day["rooms"]["Hall"][0]
    for key in ("guid", "id", "title", "date", "start", "duration", "persons", "links", "track", "language", "logo"):
        event[key] = value
        read(json.dumps(document).encode())
    for holder in (day, document["schedule"]["conference"], document["schedule"]):
        for key in list(holder):
            kept, holder[key] = holder[key], value
            assert read_or_reasons(json.dumps(document).encode())
            holder[key] = kept


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!doctype html><html><body>Login</body></html>", "web page"),
        (b"<iCalendar><vcalendar/></iCalendar>", "xCal"),
        (b"<rss/>", "feed"),
        (b"PK\x03\x04....", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b'{"a": 1}', "schedule"),
        (b'{"schedule": {"version": "1"}}', "conference"),
        (b'{"schedule": {"conference": {}}}', "days"),
        (b"[1, 2]", "schedule"),
        (b"Title;Start;End\n", "neither"),
        (XML[:-40], "not complete"),
        (ICS[:400], "ends inside"),
        (b"<schedule><version>1</version></schedule>", "neither a conference"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(data)
    assert (caught.value.code, caught.value.status) == ("unreadable_schedule", 422)
    assert any(reason in told for told in caught.value.details["reasons"])


def test_entities_are_neither_expanded_nor_fetched() -> None:
    for entity in (b'<!ENTITY x SYSTEM "file:///etc/hostname">', b'<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">'):
        data = b"<!DOCTYPE schedule [" + entity + b"]>" + XML.split(b"?>", 1)[1].replace(b"One", b"&x;")
        with pytest.raises(Unreadable, match="entities"):
            read(data)


def test_too_large_and_too_many_are_refused() -> None:
    with pytest.raises(Unreadable, match="larger than 20 MB"):
        read(b" " * (MAX_BYTES + 1))
    event = b'{"guid":"","start":"2026-05-04T09:00:00Z","title":"x"},'
    many = b'{"schedule":{"conference":{},"events":[' + (event * 20_001).rstrip(b",") + b"]}}"
    with pytest.raises(Unreadable, match="20000 sessions"):
        read(many)


def test_a_packed_bomb_stays_small() -> None:
    import gzip

    with pytest.raises(Unreadable, match="unpacked"):
        read(gzip.compress(b" " * (4 * MAX_BYTES)))
    assert replace(read(gzip.compress(XML)), warnings=()) == replace(read(XML), warnings=())


def test_a_bare_ampersand_and_control_characters_cost_a_warning() -> None:
    schedule = read(XML.replace(b"&amp;", b"&").replace(b"Ada", b"Ad\x02a"))
    assert [item.start_ms for item in schedule.items] == [1_777_878_000_000]
    assert "not_well_formed" in {warning.code for warning in schedule.warnings}


def test_costly_rules_end_soon() -> None:
    rules = (
        "FREQ=SECONDLY",
        "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60))),
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;COUNT=999999999",
        "FREQ=DAILY;INTERVAL=0",
    )
    events = "".join(
        f"BEGIN:VEVENT\nUID:{n}\nDTSTART:19710101T090000\nDURATION:PT1H\nRRULE:{rule}\nSUMMARY:x\nEND:VEVENT\n"
        for n, rule in enumerate(rules * 40)
    )
    schedule = read(f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n".encode())
    told = {warning.message for warning in schedule.warnings if warning.code == "recurrence"}
    assert len(told) >= 3
    assert len(schedule.items) <= 20_000


def test_texts_that_are_made_to_be_slow_are_not() -> None:
    texts = ("<script>" * 12_000, "<style <" * 12_000, "&" * 90_000, "<a " * 30_000, "\n" * 90_000)
    begun = time.process_time()
    for text in texts:
        event = {"start": "2026-05-04T09:00:00Z", "title": text, "abstract": text, "room": text, "end": text}
        read(json.dumps({"schedule": {"conference": {}, "events": [event]}}).encode())
    read_or_reasons(XML[:-11] + b"</schedule>" + b"<!-- -->" * 50_000 + b"&")
    rooms = [{"name": f"R{n}", "guid": f"g{n}"} for n in range(1900)]
    start = "2026-05-04T09:00:00Z"
    events = [{"guid": f"{n}", "start": start, "title": "x", "room": {"guid": f"g{n % 1900}"}} for n in range(3000)]
    schedule = read(json.dumps({"schedule": {"conference": {"rooms": rooms}, "events": events}}).encode())
    assert len(matcher_of(()).planned(schedule).new) == 1900
    assert time.process_time() - begun < 5
