"""schedule.xml and schedule.json: they keep the schemas' rules, and what is read again is what was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import example, given, settings

from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Flag, Kind
from streamer.schedules.c3voc import read_c3voc
from streamer.schedules.fields import address_of, identities, line_of, text_of
from streamer.schedules.frab import read_frab
from streamer.schedules.words import kind_of, one_line, paragraphs
from streamer.schedules.write_frab import write_frab
from streamer.schedules.write_json import write_json
from tests.fakes.chance import examples
from tests.fakes.schedule_rules import check_json, check_xml
from tests.fakes.schedules import HOUR_MS, schedules

NOON_MS = 1_780_308_000_000  # 2026-06-01T10:00:00Z


def item(**fields: object) -> ScheduleItem:
    known: dict[str, object] = {"title": "T", "start_ms": NOON_MS, "end_ms": NOON_MS + HOUR_MS, "room": "A"}
    return ScheduleItem(**(known | fields))  # type: ignore[arg-type]


def one(**fields: object) -> Schedule:
    return Schedule(title="S", timezone="Europe/Paris", version="1", items=(item(**fields),))


def names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in map(one_line, values) if name))


def pairs(values: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((one_line(title), address) for title, address in values)


def expected(source: ScheduleItem) -> ScheduleItem:
    """The parts of an item that both formats hold, as readers clean them."""
    type_name = source.type_name or source.kind.value
    return replace(
        source,
        title=one_line(source.title),
        room=one_line(source.room),
        subtitle=one_line(source.subtitle),
        abstract=paragraphs(source.abstract),
        description=paragraphs(source.description),
        speakers=names(source.speakers),
        track=one_line(source.track),
        type_name=type_name,
        kind=kind_of(type_name, one_line(source.title)),
        tags=(),
        links=pairs(source.links),
        attachments=pairs(source.attachments),
        sequence=0,
    )


def compare(written: Schedule, read: Schedule, *, xml: bool) -> None:
    for field in ("timezone", "url", "start_ms", "end_ms", "day_change_minutes"):
        if field == "timezone" and not xml and written.timezone == "Etc/GMT+3":
            # The schema has no place for it; offsets say the times.
            continue
        assert getattr(read, field) == getattr(written, field), field
    assert read.title == one_line(written.title)
    assert read.version == one_line(written.version)
    if written.acronym in ("conf_2026", "jdll"):
        assert read.acronym == written.acronym
    assert [room.name for room in read.rooms] == [one_line(room.name) for room in written.rooms]
    assert [room.guid for room in read.rooms] == [room.guid for room in written.rooms]
    if not xml:
        assert [(room.slug, room.capacity) for room in read.rooms] == [(r.slug, r.capacity) for r in written.rooms]
    wanted = {entry.guid: expected(entry) for entry in written.items if not entry.cancelled}
    assert {entry.guid for entry in read.items} == set(wanted)
    for entry in read.items:
        original = wanted[entry.guid]
        if xml:
            original = replace(original, do_not_stream=Flag.NO)
        if not original.slug.startswith("conf-"):
            original = replace(original, slug=entry.slug)
        assert entry == original


@settings(max_examples=examples(25), deadline=None)
@given(schedules())
def test_xml_that_is_read_again_has_lost_nothing(schedule: Schedule) -> None:
    document = write_frab(schedule)
    check_xml(document)
    compare(schedule, read_frab(document, timezone="Asia/Tokyo"), xml=True)


@settings(max_examples=examples(25), deadline=None)
@given(schedules())
def test_json_that_is_read_again_has_lost_nothing(schedule: Schedule) -> None:
    document = write_json(schedule)
    check_json(document)
    compare(schedule, read_c3voc(document, timezone="Asia/Tokyo"), xml=False)


@settings(max_examples=examples(25), deadline=None)
@given(schedules())
@example(Schedule(title="", rooms=(ScheduleRoom("Empty"),)))
@example(Schedule(title="Nothing at all"))
@example(one(guid="not a uuid", id="x7", url="", slug="Ä", title="", room=""))
@example(replace(one(), items=(item(guid="a"), item(guid="a"), item(), item())))
def test_writing_what_was_read_writes_the_same(schedule: Schedule) -> None:
    """Values that a file does not have are made up once, and then stand in the file."""
    for write, read, check in ((write_frab, read_frab, check_xml), (write_json, read_c3voc, check_json)):
        first = write(schedule)
        check(first)
        again = write(read(first, timezone="UTC"))
        check(again)
        assert write(read(again, timezone="UTC")) == again


def test_what_xml_cannot_hold_is_dropped_and_the_rest_kept() -> None:
    schedule = one(
        title="a\x00b\x0bc \x1b[1m\x7f\ud800é\U0001f600 R&D <3 \ufffe", abstract="1 < 2 & 3\r\n\r\n\x08]]>\tx"
    )
    read = read_frab(write_frab(schedule), timezone="UTC").items[0]
    assert read.title == "abc [1mé\U0001f600 R&D <3"
    assert read.abstract == "1 < 2 & 3\n\n]]>\tx"
    assert read_c3voc(write_json(schedule), timezone="UTC").items[0].title == read.title


def test_a_night_belongs_to_the_day_before_and_each_day_lists_what_it_has() -> None:
    late = item(
        title="late", start_ms=NOON_MS + 14 * HOUR_MS, end_ms=NOON_MS + 15 * HOUR_MS, room="B"
    )  # 02:00 in Paris
    early = item(title="early", start_ms=NOON_MS + 20 * HOUR_MS, end_ms=NOON_MS + 21 * HOUR_MS)  # 08:00
    schedule = Schedule(
        title="S", timezone="Europe/Paris", day_change_minutes=240, rooms=(ScheduleRoom("Empty"),), items=(late, early)
    )
    root = check_xml(write_frab(schedule))
    days = root.findall("day")
    assert [day.get("date") for day in days] == ["2026-06-01", "2026-06-02"]
    assert days[0].get("start") == "2026-06-01T04:00:00+02:00"
    assert days[0].get("end") == "2026-06-02T03:59:59+02:00"
    assert [room.get("name") for room in days[0]] == ["Empty", "B", "A"]
    assert [room.get("name") for room in days[1]] == ["A"]
    assert days[0].findtext("room[@name='B']/event/date") == "2026-06-02T02:00:00+02:00"


def test_the_day_on_which_clocks_change_is_23_or_25_hours_long() -> None:
    for start_ms, hours in ((1_774_764_000_000, 23), (1_792_908_000_000, 25)):  # 29 March, 25 October 2026
        root = check_xml(write_frab(one(start_ms=start_ms, end_ms=start_ms + HOUR_MS)))
        read = read_frab(write_frab(one(start_ms=start_ms, end_ms=start_ms + HOUR_MS)), timezone="UTC")
        assert read.items[0].start_ms == start_ms
        conference = check_json(write_json(one(start_ms=start_ms, end_ms=start_ms + HOUR_MS)))
        day = conference["days"][0]
        length = datetime.fromisoformat(day["day_end"]) - datetime.fromisoformat(day["day_start"])
        assert round(length.total_seconds() / 3600) == hours
        assert len(root.findall("day")) == 1


def test_cancelled_sessions_are_in_neither_file() -> None:
    schedule = one(title="Called off", cancelled=True)
    assert b"Called off" not in write_frab(schedule)
    assert b"Called off" not in write_json(schedule)


def test_who_records_by_the_file_does_not_before_somebody_was_asked() -> None:
    assert b"<optout>true</optout>" in write_frab(one(do_not_record=Flag.ASK))
    assert b'"do_not_record": null' in write_json(one(do_not_record=Flag.ASK))
    assert b"<optout>false</optout>" in write_frab(one())


def test_what_is_longer_than_the_format_can_say_is_cut_and_nothing_has_no_length() -> None:
    assert b"<duration>99:59</duration>" in write_frab(one(end_ms=NOON_MS + 200 * HOUR_MS))
    assert b"<duration>00:00</duration>" in write_frab(one(end_ms=NOON_MS - HOUR_MS))
    week = read_c3voc(write_json(one(end_ms=NOON_MS + 168 * HOUR_MS)), timezone="UTC").items[0]
    assert week.end_ms - week.start_ms == 168 * HOUR_MS


def test_numbers_are_made_once_and_do_not_depend_on_the_order() -> None:
    items = [item(guid=f"6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e{n:02x}", id="7" if n < 2 else "") for n in range(30)]
    made = identities(items)
    assert [identity.guid for identity in made] == [entry.guid for entry in items]
    assert made[0].id == 7
    assert made[1].id != 7
    backwards = {identity.guid: identity.id for identity in identities(items[1:][::-1] + items[:1])}
    assert {identity.guid: identity.id for identity in made[2:]}.items() <= backwards.items()
    assert all(0 < identity.id < 2**31 for identity in made)


@pytest.mark.parametrize("kind", list(Kind))
def test_kinds_are_understood_by_their_own_names(kind: Kind) -> None:
    assert read_frab(write_frab(one(kind=kind)), timezone="UTC").items[0].kind is kind


def test_only_web_addresses_are_written() -> None:
    assert address_of("javascript:alert(1)") == ""
    assert address_of("https://a b") == ""
    assert address_of("http://[::1") == ""
    assert address_of(" https://exämple.org/é?q=ü ") == "https://xn--exmple-cua.org/%C3%A9?q=%C3%BC"
    assert address_of("https://a.org/%C3%A9?x=1&y=a+b#c") == "https://a.org/%C3%A9?x=1&y=a+b#c"
    assert line_of(" a\n\tb ") == "a b"
    assert text_of("a\rb\r\nc\0") == "a\nb\nc"
