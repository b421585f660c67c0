"""iCalendar: what is read again is what was written, and calendars get what they rely on."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from icalendar import Calendar

from streamer.conference.schedule import Schedule, ScheduleItem
from streamer.conference.sessions import Kind, Visibility
from streamer.schedules.ical import read_ical
from streamer.schedules.words import kind_of, one_line, paragraphs
from streamer.schedules.write_ical import write_ical
from tests.fakes.chance import examples
from tests.fakes.schedules import HOUR_MS, schedules

NOON_MS = 1_780_308_000_000  # 2026-06-01T10:00:00Z
STAMP_MS = 1_780_000_000_000


def one(**fields: object) -> Schedule:
    known: dict[str, object] = {
        "title": "T",
        "start_ms": NOON_MS,
        "end_ms": NOON_MS + HOUR_MS,
        "room": "A",
        "guid": "g",
    }
    item = ScheduleItem(**(known | fields))  # type: ignore[arg-type]
    return Schedule(title="S", timezone="Europe/Paris", items=(item,))


def lines_of(document: bytes) -> list[str]:
    return document.decode().replace("\r\n ", "").split("\r\n")


def tags_of(item: ScheduleItem) -> tuple[str, ...]:
    kind = [] if item.kind is Kind.CONFERENCE else [item.kind.value]
    return tuple(dict.fromkeys(name for name in (*kind, *map(one_line, item.tags)) if name))


@settings(max_examples=examples(25), deadline=None)
@given(schedules())
def test_a_calendar_that_is_read_again_has_lost_nothing(schedule: Schedule) -> None:
    # Subtitle, speakers and description are shown, but cannot be told from the abstract again.
    schedule = replace(
        schedule,
        items=tuple(replace(item, subtitle="", speakers=(), description="") for item in schedule.items),
    )
    document = write_ical(schedule, stamp_ms=STAMP_MS)
    for line in document.split(b"\r\n"):
        # RFC 5545, 3.1: lines of 75 octets, in whole characters.
        assert len(line) <= 75
        line.decode()
    read = read_ical(document, timezone="Asia/Tokyo", now_ms=NOON_MS)
    assert read.timezone == schedule.timezone
    assert read.url == schedule.url
    wanted = {item.guid: item for item in schedule.items}
    assert {item.guid for item in read.items} == set(wanted)
    for item in read.items:
        source = wanted[item.guid]
        assert item.title == one_line(source.title)
        assert item.room == one_line(source.room)
        assert item.abstract == paragraphs(source.abstract)
        for field in ("start_ms", "end_ms", "language", "url", "cancelled", "sequence", "all_day", "visibility"):
            assert getattr(item, field) == getattr(source, field), field
        assert item.tags == tuple(name[:100].rstrip() for name in tags_of(source))
        if source.kind is not Kind.CONFERENCE:
            assert item.kind is source.kind
        assert [address for _, address in item.attachments] == [address for _, address in source.attachments]


def test_a_calendar_tells_what_a_client_needs_to_follow_changes() -> None:
    schedule = one(
        sequence=3, url="https://s.test/session/x", tags=("a,b", "c"), speakers=("Ada", "Bob"), subtitle="Sub"
    )
    lines = lines_of(write_ical(schedule, stamp_ms=STAMP_MS, changed_ms={"g": STAMP_MS + 60_000}))
    for line in (
        "METHOD:PUBLISH", "UID:g", "SEQUENCE:3", "STATUS:CONFIRMED", "DTSTART:20260601T100000Z",
        "DTEND:20260601T110000Z", "DTSTAMP:20260528T202740Z", "LAST-MODIFIED:20260528T202740Z", "LOCATION:A",
        "URL:https://s.test/session/x", "CATEGORIES:a\\,b,c", "DESCRIPTION:Sub\\n\\nAda\\, Bob",
        "X-WR-TIMEZONE:Europe/Paris", "X-WR-CALNAME:S", "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    ):  # fmt: skip
        assert line in lines, line
    assert "DTSTAMP:20260528T202640Z" in lines_of(write_ical(schedule, stamp_ms=STAMP_MS))


def test_a_session_that_was_called_off_is_told_as_cancelled() -> None:
    assert "STATUS:CANCELLED" in lines_of(write_ical(one(cancelled=True), stamp_ms=0))


def test_a_whole_day_stays_a_whole_day_in_the_venues_zone() -> None:
    schedule = one(all_day=True, start_ms=NOON_MS - 12 * HOUR_MS, end_ms=NOON_MS + 12 * HOUR_MS)  # midnight in Paris
    lines = lines_of(write_ical(schedule, stamp_ms=0))
    assert "DTSTART;VALUE=DATE:20260601" in lines
    assert "DTEND;VALUE=DATE:20260602" in lines
    read = read_ical(write_ical(schedule, stamp_ms=0), timezone="Asia/Tokyo", now_ms=NOON_MS).items[0]
    assert read == replace(schedule.items[0], unsaid=read.unsaid, kind=kind_of(""))


def test_two_sessions_never_share_a_uid_and_one_without_keeps_its_own() -> None:
    item = one().items[0]
    schedule = Schedule(title="S", items=(item, item, replace(item, guid=""), replace(item, guid="", title="U")))
    first, again = (
        [str(event["UID"]) for event in Calendar.from_ical(write_ical(schedule, stamp_ms=at)).walk("VEVENT")]
        for at in (0, NOON_MS)
    )
    assert first == again
    assert len(set(first)) == 4
    assert first[0] == "g"


def test_what_text_cannot_hold_is_dropped_and_what_has_a_meaning_is_escaped() -> None:
    document = write_ical(one(title="a\x00b\r\nEND:VCALENDAR;,\\", abstract="x\r\nBEGIN:VEVENT\n\x07y"), stamp_ms=0)
    lines = lines_of(document)
    assert "SUMMARY:ab END:VCALENDAR\\;\\,\\\\" in lines
    assert "DESCRIPTION:x\\nBEGIN:VEVENT\\ny" in lines
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VCALENDAR") == 1


def test_closed_sessions_say_so_where_somebody_exports_them() -> None:
    for visibility, word in ((Visibility.PRIVATE, "PRIVATE"), (Visibility.UNLISTED, "CONFIDENTIAL")):
        assert f"CLASS:{word}" in lines_of(write_ical(one(visibility=visibility), stamp_ms=0))


def test_no_length_is_no_end() -> None:
    assert not any(line.startswith("DTEND") for line in lines_of(write_ical(one(end_ms=NOON_MS), stamp_ms=0)))


def test_empty_calendars_are_calendars() -> None:
    lines = lines_of(write_ical(Schedule(title=""), stamp_ms=0))
    assert lines[0] == "BEGIN:VCALENDAR"
    assert "END:VCALENDAR" in lines
