"""iCalendar as calendars, conference tools and scripts make it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamer.conference.schedule import Schedule, ScheduleItem
from streamer.conference.sessions import Kind, Visibility
from streamer.schedules.detect import read_schedule
from streamer.schedules.recurrence import MAX_OCCURRENCES


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def read(text: str | bytes, *, now: str = "2026-05-01T00:00:00+00:00", timezone: str = "Europe/Paris") -> Schedule:
    data = text.encode() if isinstance(text, str) else text
    return read_schedule(data, timezone=timezone, now_ms=ms(now))


def calendar(*events: str, head: str = "") -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{head}{''.join(events)}END:VCALENDAR\r\n"


def event(*lines: str, uid: str = "a@b", start: str = "DTSTART:20260504T070000Z", end: str = "DURATION:PT1H") -> str:
    body = "\r\n".join([f"UID:{uid}", start, end, *lines])
    return f"BEGIN:VEVENT\r\n{body}\r\nEND:VEVENT\r\n"


def one(text: str | bytes, **options: str) -> ScheduleItem:
    (item,) = read(text, **options).items
    return item


def starts(text: str, **options: str) -> list[str]:
    return [f"{datetime.fromtimestamp(item.start_ms / 1000, UTC):%m-%dT%H}" for item in read(text, **options).items]


def codes(text: str | bytes) -> list[str]:
    return sorted({warning.code for warning in read(text).warnings})


def test_everything_that_an_event_can_say_is_read() -> None:
    item = one(
        calendar(
            event(
                "SUMMARY;LANGUAGE=fr-fr:Un titre\\, deux", "DESCRIPTION:First\\n\\nSecond\\; more", "LOCATION:Hall",
                "URL:https://a.org/1", "CATEGORIES:Linux,Atelier", "SEQUENCE:4", "STATUS:CONFIRMED",
                "ATTACH;FILENAME=slides.pdf:https://a.org/s.pdf", "BEGIN:VALARM", "TRIGGER:-PT5M", "SUMMARY:no",
                "END:VALARM",
            ),
            head="X-WR-CALNAME:My day\r\n",
        )
    )  # fmt: skip
    assert item == ScheduleItem(
        title="Un titre, deux", start_ms=ms("2026-05-04T09:00:00+02:00"), end_ms=ms("2026-05-04T10:00:00+02:00"),
        room="Hall", guid="a@b", abstract="First\n\nSecond; more", language="fr-FR", kind=Kind.WORKSHOP,
        type_name="Atelier", tags=("Linux", "Atelier"), url="https://a.org/1", sequence=4,
        attachments=(("slides.pdf", "https://a.org/s.pdf"),),
    )  # fmt: skip
    assert item.unsaid >= {"speakers", "subtitle", "track", "do_not_record", "do_not_stream"}
    assert read(calendar(head="X-WR-CALNAME;CHARSET=UTF-8;ENCODING=8BIT:JRES 2021/22\r\n")).title == "JRES 2021/22"


def test_odd_parameters_and_lines_folded_by_hand_as_in_the_jres_calendar() -> None:
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:p_1\r\nDTSTART;TZID=Europe/Paris:20260517T110000\r\n"
        "DTEND;TZID=Europe/Paris:20260517T123000\r\nLOCATION;CHARSET=UTF-8;ENCODING=8BIT:Amphithéâtre\r\n"
        "SUMMARY;CHARSET=UTF-8;ENCODING=8BIT:Déjeuner\r\nDESCRIPTION;CHARSET=UTF-8;ENCODING=8BIT:Un\r\n"
        " \\n\r\n \r\r\n \\n\r\n Deux\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    item = one(text)
    assert (item.title, item.room, item.kind, item.abstract) == ("Déjeuner", "Amphithéâtre", Kind.BREAK, "Un\n\nDeux")
    unfolded = text.replace("\r\n Deux", "\r\nDeux et trois")
    assert one(unfolded).abstract.endswith("Deux et trois")
    assert "broken_lines" in codes(unfolded)


def test_characters_cut_by_the_folding_other_encodings_and_line_ends() -> None:
    text = calendar(event("SUMMARY:Été à Nantes", "LOCATION:Hall"))
    cut = text.encode().replace("é".encode(), b"\xc3\r\n \xa9")
    for data in (cut, text.encode("utf-8-sig"), text.encode("utf-16"), text.replace("\r\n", "\n").encode()):
        assert one(data).title == "Été à Nantes"
    assert one(text.encode("cp1252")).title == "Été à Nantes"
    assert codes(text.encode("cp1252")) == ["not_utf8"]
    mixed = text.encode().replace(b"Hall", b"Caf\xe9")
    assert (one(mixed).title, one(mixed).room) == ("Été à Nantes", "Café")


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        ("DTSTART:20260504T090000", "2026-05-04T09:00:00+02:00"),
        ("DTSTART:20260504T090000Z", "2026-05-04T09:00:00+00:00"),
        ("DTSTART;TZID=America/New_York:20260504T090000", "2026-05-04T09:00:00-04:00"),
        ("DTSTART;TZID=Romance Standard Time:20260504T090000", "2026-05-04T09:00:00+02:00"),
        ("DTSTART;TZID=/freeassociation.sourceforge.net/Europe/London:20260504T090000", "2026-05-04T09:00:00+01:00"),
        ("DTSTART;TZID=Own:20260504T090000", "2026-05-04T09:00:00+05:30"),
        ("DTSTART;TZID=Nowhere:20260504T090000", "2026-05-04T09:00:00+02:00"),
    ],
)
def test_floating_times_are_the_venue_s_and_zones_are_found_by_every_name(start: str, utc: str) -> None:
    own = (
        "BEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0530\r\n"
        "TZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    )
    text = calendar(event("SUMMARY:x", "LOCATION:Hall", start=start), head=own)
    assert one(text).start_ms == ms(utc)
    assert codes(text) == (["unknown_timezone"] if "Nowhere" in start else [])
    floating = calendar(event("SUMMARY:x", start="DTSTART:20260504T090000"), head="X-WR-TIMEZONE:Asia/Tokyo\r\n")
    assert one(floating).start_ms == ms("2026-05-04T09:00:00+09:00")


def test_a_zone_that_one_file_defines_is_nothing_to_the_next() -> None:
    def own(offset: str) -> str:
        return calendar(
            event("SUMMARY:x", start="DTSTART;TZID=Mine:20260504T090000"),
            head=f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
            f"TZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
        )

    assert one(own("+0300")).start_ms == ms("2026-05-04T09:00:00+03:00")
    assert one(own("-0700")).start_ms == ms("2026-05-04T09:00:00-07:00")
    assert one(calendar(event(start="DTSTART;TZID=Mine:20260504T090000"))).start_ms == ms("2026-05-04T09:00:00+02:00")
    assert one(calendar(event(start="DTSTART:20260504T090000Z"))).start_ms == ms("2026-05-04T09:00:00+00:00")


def test_all_day_from_midnight_to_midnight_on_a_day_of_23_hours_too() -> None:
    item = one(calendar(event("SUMMARY:x", start="DTSTART;VALUE=DATE:20260329", end="DTEND;VALUE=DATE:20260330")))
    assert item.all_day
    assert (item.end_ms - item.start_ms) // 3_600_000 == 23
    without = one(calendar(event("SUMMARY:x", start="DTSTART;VALUE=DATE:20260504", end="STATUS:CONFIRMED")))
    assert (without.end_ms - without.start_ms) // 3_600_000 == 24
    assert "all_day" in codes(calendar(event(start="DTSTART;VALUE=DATE:20260329")))


def test_cancelled_events_closed_ones_and_cancelled_calendars() -> None:
    assert one(calendar(event("STATUS:CANCELLED"))).cancelled
    assert one(calendar(event(), head="METHOD:CANCEL\r\n")).cancelled
    assert not one(calendar(event("STATUS:TENTATIVE"), head="METHOD:PUBLISH\r\n")).cancelled
    assert one(calendar(event("CLASS:CONFIDENTIAL"))).visibility is Visibility.PRIVATE
    assert one(calendar(event("CLASS:PUBLIC"))).visibility is None


def test_a_weekly_meeting_stays_at_nine_when_summer_time_ends_and_skips_its_exceptions() -> None:
    text = calendar(
        event(
            "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Paris:20261026T090000", "SUMMARY:x",
            start="DTSTART;TZID=Europe/Paris:20261012T090000",
        ),
        event(
            "RECURRENCE-ID;TZID=Europe/Paris:20261019T090000", "SUMMARY:later",
            start="DTSTART;TZID=Europe/Paris:20261019T110000",
        ),
        event("RECURRENCE-ID:20261109T080000Z", "STATUS:CANCELLED", start="DTSTART:20261109T080000Z"),
    )  # fmt: skip
    assert starts(text) == ["10-12T07", "10-19T09", "11-02T08", "11-09T08"]
    items = read(text).items
    assert [item.guid for item in items] == [
        "a@b#20261012T070000Z", "a@b#20261019T070000Z", "a@b#20261102T080000Z", "a@b#20261109T080000Z"
    ]  # fmt: skip
    assert [item.title for item in items][:2] == ["x", "later"]
    assert items[3].cancelled
    assert {item.end_ms - item.start_ms for item in items} == {3_600_000}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("RRULE:FREQ=WEEKLY;UNTIL=20260518T070000Z", ["05-04T07", "05-11T07", "05-18T07"]),
        ("RRULE:FREQ=WEEKLY;UNTIL=20260517", ["05-04T07", "05-11T07"]),
        ("RRULE:FREQ=WEEKLY;UNTIL=20260101T000000Z", ["05-04T07"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=3", ["05-04T07", "06-01T07", "07-06T07"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", ["05-04T07", "05-29T07", "06-30T07"]),
        ("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ["05-04T07"]),
        ("RRULE:FREQ=HOURLY;COUNT=5", ["05-04T07"]),
        ("RRULE:FREQ=DAILY;INTERVAL=0", ["05-04T07"]),
        ("RRULE:nonsense", ["05-04T07"]),
        ("RDATE:20260505T120000Z,20260506T120000Z", ["05-04T07", "05-05T12", "05-06T12"]),
        ("RRULE:FREQ=DAILY;COUNT=3\r\nEXDATE;VALUE=DATE:20260505", ["05-04T07", "05-06T07"]),
    ],
)
def test_rules_of_every_kind(rule: str, expected: list[str]) -> None:
    assert starts(calendar(event(rule, "SUMMARY:x"))) == expected


def test_rules_without_end_are_followed_for_a_year_and_not_into_the_past() -> None:
    weekly = calendar(event("RRULE:FREQ=WEEKLY", start="DTSTART:20150105T080000Z"))
    items = read(weekly).items
    assert ms("2026-03-01T00:00:00+00:00") <= items[0].start_ms <= ms("2026-03-09T00:00:00+00:00")
    assert ms("2027-05-28T00:00:00+00:00") <= items[-1].start_ms <= ms("2027-06-05T00:00:00+00:00")
    daily = read(calendar(event("RRULE:FREQ=DAILY;COUNT=5000", start="DTSTART:20200101T080000Z")))
    assert len(daily.items) == MAX_OCCURRENCES
    assert "recurrence" in {warning.code for warning in daily.warnings}
    ended = read(calendar(event("RRULE:FREQ=WEEKLY;COUNT=3", start="DTSTART:20150105T080000Z")))
    assert len(ended.items) == 3


def test_this_and_all_that_follow_are_moved_together() -> None:
    text = calendar(
        event("RRULE:FREQ=WEEKLY;COUNT=4", "SUMMARY:before"),
        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260518T070000Z", "SUMMARY:after", start="DTSTART:20260519T100000Z"),
    )
    assert starts(text) == ["05-04T07", "05-11T07", "05-19T10", "05-26T10"]
    assert [item.title for item in read(text).items] == ["before", "before", "after", "after"]


def test_an_occurrence_without_its_series_and_two_versions_of_an_event() -> None:
    alone = one(calendar(event("RECURRENCE-ID:20260504T070000Z", "SUMMARY:x")))
    assert alone.guid == "a@b#20260504T070000Z"
    both = calendar(event("SEQUENCE:2", "SUMMARY:new"), event("SEQUENCE:1", "SUMMARY:old"))
    assert one(both).title == "new"
    sloppy = calendar(event("SUMMARY:one"), event("SUMMARY:two", start="DTSTART:20260504T120000Z"))
    assert [item.title for item in read(sloppy).items] == ["one", "two"]
    assert "duplicate_guid" in codes(sloppy)


def test_one_bad_event_costs_that_event() -> None:
    text = calendar(
        event("SUMMARY:good", "LOCATION:Hall"),
        event("SUMMARY:bad", uid="bad", start="DTSTART:yesterday"),
        event("SUMMARY:none", uid="none", start="STATUS:CONFIRMED"),
        event("SUMMARY:ends first", "LOCATION:Lab", uid="c", end="DTEND:20260504T060000Z"),
    )
    schedule = read(text)
    assert [item.title for item in schedule.items] == ["ends first", "good"]
    assert {(warning.code, warning.item) for warning in schedule.warnings} == {
        ("bad_event", "bad"), ("no_start", "none"), ("no_duration", "c")
    }  # fmt: skip
    (bad,) = (warning for warning in schedule.warnings if warning.code == "bad_event")
    assert bad.message == "It is left out: “DTSTART:yesterday” cannot be read."


def test_one_event_that_the_calendar_lists_in_two_rooms_is_one_session() -> None:
    """An editor that exports a line for each room uses one UID for both."""
    both = one(calendar(event("SUMMARY:Opening", "LOCATION:A"), event("SUMMARY:Opening", "LOCATION:B")))
    assert (both.room, both.also_in, both.guid) == ("A", ("B",), "a@b")
    assert "also_in" not in both.unsaid
    newer = one(calendar(event("SUMMARY:Moved", "LOCATION:A"), event("SUMMARY:Moved", "LOCATION:B", "SEQUENCE:1")))
    assert (newer.room, newer.also_in) == ("B", ()), "a newer version of it is no second room"
    assert "also_in" in newer.unsaid
