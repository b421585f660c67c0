"""schedule.xml as it is found: each quirk costs a default and a warning, never the file."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Flag, Kind
from streamer.schedules.detect import read_schedule

PARIS = ZoneInfo("Europe/Paris")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def read(xml: str, timezone: str = "Europe/Paris") -> Schedule:
    return read_schedule(xml.encode(), timezone=timezone, now_ms=ms("2026-05-01T00:00:00+00:00"))


def day(events: str, *, head: str = "", room: str = "name='Hall'") -> str:
    return (
        "<schedule><version>1</version><conference><title>Day</title><acronym>day</acronym>"
        f"{head}</conference><day index='1' date='2026-05-04' start='2026-05-04T06:00:00+02:00' "
        f"end='2026-05-05T05:59:00+02:00'><room {room}>{events}</room></day></schedule>"
    )


def event(inner: str = "", attributes: str = "guid='g1' id='1'", date: str = "2026-05-04T09:00:00+02:00") -> str:
    dated = f"<date>{date}</date>" if date else ""
    return f"<event {attributes}>{dated}<title>One</title><duration>00:45</duration>{inner}</event>"


def one(xml: str, timezone: str = "Europe/Paris") -> ScheduleItem:
    (item,) = read(xml, timezone).items
    return item


def codes(xml: str) -> set[str]:
    return {warning.code for warning in read(xml).warnings}


def test_everything_that_an_event_can_say_is_read() -> None:
    schedule = read(
        day(
            event(
                """<start>09:00</start><room>Hall</room><slug>day-1-one</slug><url>https://a.org/1</url>
                <subtitle>Sub &amp; title</subtitle><track>Track</track><type>Workshop</type><language>FR</language>
                <abstract>A</abstract><description>&lt;p&gt;First&lt;/p&gt;&lt;p&gt;*Second*&lt;/p&gt;</description>
                <logo>/media/l.png</logo><persons><person id='1'>Ada</person><person>Bob</person></persons>
                <links><link href='https://a.org'>A</link><link href='javascript:alert(1)'>B</link></links>
                <attachments><attachment href='https://a.org/s.pdf'>Slides</attachment></attachments>
                <recording><license/><optout>true</optout></recording>"""
            ),
            head="<start>2026-05-04</start><end>2026-05-05</end><time_zone_name>Europe/Berlin</time_zone_name>"
            "<url>https://a.org/</url>",
            room="name='Hall' guid='r1'",
        )
    )
    assert schedule == Schedule(
        title="Day", acronym="day", timezone="Europe/Berlin", version="1", url="https://a.org/",
        start_ms=ms("2026-05-04T00:00:00+02:00"), end_ms=ms("2026-05-06T00:00:00+02:00"), day_change_minutes=360,
        rooms=(ScheduleRoom("Hall", "r1"),),
        items=(
            ScheduleItem(
                title="One", start_ms=ms("2026-05-04T09:00:00+02:00"), end_ms=ms("2026-05-04T09:45:00+02:00"),
                room="Hall", guid="g1", id="1", subtitle="Sub & title", abstract="A", description="First\n*Second*",
                speakers=("Ada", "Bob"), language="fr", track="Track", kind=Kind.WORKSHOP, type_name="Workshop",
                url="https://a.org/1", slug="day-1-one", do_not_record=Flag.YES, logo="/media/l.png",
                links=(("A", "https://a.org"),), attachments=(("Slides", "https://a.org/s.pdf"),),
            ),
        ),
    )  # fmt: skip


def test_a_speakers_picture_is_read_where_an_export_has_one() -> None:
    people = (
        "<persons><person id='1' avatar='https://a.org/ada.jpg'>Ada</person><person>Bob</person>"
        "<person avatar_url='/media/eve.jpg'>Eve</person></persons>"
    )
    item = one(day(event(people)))
    assert item.speakers == ("Ada", "Bob", "Eve")
    assert item.portraits == (("Ada", "https://a.org/ada.jpg"),)
    assert "portraits" not in item.unsaid
    assert "portraits" in one(day(event("<persons><person>Ada</person></persons>"))).unsaid


def test_the_date_outranks_day_and_start() -> None:
    # Engelsystem's export: a session of the second in the day of the first, its start in another zone.
    xml = day(event("<start>11:00</start>", date="2026-05-06T10:00:00+00:00"))
    assert one(xml).start_ms == ms("2026-05-06T10:00:00+00:00")
    assert codes(xml) == {"outside_day", "start_differs"}
    assert codes(day(event("<start>12:00</start>", date="2026-05-04T10:00:00+00:00"))) == set()


def test_without_a_date_the_day_and_the_start_are_put_together() -> None:
    assert one(day(event("<start>09:30</start>", date=""))).start_ms == ms("2026-05-04T09:30:00+02:00")
    # Before the day begins at six it is night, and tomorrow.
    assert one(day(event("<start>01:30</start>", date=""))).start_ms == ms("2026-05-05T01:30:00+02:00")
    assert codes(day(event("<start>09:30</start>", date=""))) == {"no_date"}
    assert one(day(event(date="2026-05-04T09:00:00")), "America/New_York").start_ms == ms("2026-05-04T09:00:00-04:00")
    assert "no_offset" in codes(day(event(date="2026-05-04T09:00:00")))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("00:45", 45), ("0:45", 45), ("45", 45), ("45 min", 45), ("1:02:00", 26 * 60), ("01:30:00", 90),
        ("10:20:00", 620), ("PT1H30M", 90), ("", 45),
        ("0:00", 45), ("-1:00", 45), ("later", 45), ("99:00", 99 * 60), ("9999:00", 45),
    ],
)  # fmt: skip
def test_durations_in_every_spelling(text: str, minutes: int) -> None:
    xml = day(event()).replace("<duration>00:45</duration>", f"<duration>{text}</duration>")
    item = one(xml)
    assert (item.end_ms - item.start_ms) // 60_000 == minutes
    assert ("no_duration" in codes(xml)) == (text in ("", "0:00", "-1:00", "later", "9999:00"))


def test_one_bad_event_costs_that_event() -> None:
    xml = day(event() + event(attributes="guid='g2'", date="soon") + event(attributes="guid='g3'"))
    assert [item.guid for item in read(xml).items] == ["g1", "g3"]
    bad = [warning for warning in read(xml).warnings if warning.code == "no_start"]
    assert [warning.item for warning in bad] == ["g2"]


def test_voctomix_s_schedule_without_conference_version_guids_and_room_names() -> None:
    xml = (
        "<?xml version='1.0' encoding='utf-8' ?><schedule><day><room>"
        + event("<room>HALL 1</room>", "id='1'")
        + event("<room>HALL 2</room>", "id='2'")
        + "</room></day></schedule>"
    )
    schedule = read(xml)
    assert [(item.id, item.guid, item.room) for item in schedule.items] == [("1", "", "HALL 1"), ("2", "", "HALL 2")]
    assert [room.name for room in schedule.rooms] == ["HALL 1", "HALL 2"]
    assert {warning.code for warning in schedule.warnings} == {"no_conference", "no_version"}


def test_rooms_count_without_sessions_and_the_outer_room_outranks_the_inner() -> None:
    xml = day(event("<room>Rooming</room>")).replace("</day>", "<room name='Empty'/></day>")
    schedule = read(xml)
    assert [room.name for room in schedule.rooms] == ["Hall", "Empty"]
    assert schedule.items[0].room == "Hall"
    assert codes(xml) == {"room_differs"}


def test_a_guid_and_an_id_that_stand_for_two_sessions_keep_both_apart() -> None:
    later = "2026-05-04T10:00:00+02:00"
    twice = read(day(event() + event(date=later)))
    assert [(item.guid, item.id) for item in twice.items] == [("g1", "1"), ("", f"g1@{ms(later)}")]
    ids = read(day(event(attributes="id='1'") + event(attributes="id='1'", date=later)))
    assert [item.id for item in ids.items] == ["1", f"1@{ms(later)}"]
    neither = read(day(event(attributes="") + event(attributes="")))
    assert len({item.id for item in neither.items}) == 2
    assert all(item.id for item in neither.items)


def test_markup_in_titles_is_taken_out_and_less_than_signs_stay() -> None:
    def titled(text: str) -> str:
        return one(day(event()).replace("<title>One</title>", f"<title>{text}</title>")).title

    assert titled("&lt;b&gt;Bold&lt;/b&gt; &amp;amp; &lt;br/&gt; plain") == "Bold & plain"
    assert titled("a &lt; b, Vec&lt;T&gt; and &lt;3") == "a < b, Vec<T> and <3"
    assert titled("  Two \n   lines ") == "Two lines"
    assert titled("<b>Raw</b> markup") == "Raw markup"
    assert titled("") == "?"
    assert len(titled("x" * 5000)) == 500


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Talk", Kind.CONFERENCE), ("Vortrag", Kind.CONFERENCE), ("Conférence", Kind.CONFERENCE),
        ("??", Kind.CONFERENCE),
        ("Kurz und knapp", Kind.CONFERENCE), ("Talk/Performance (30 minutes plus Q&amp;A)", Kind.CONFERENCE),
        ("Atelier pratique", Kind.WORKSHOP), ("Hands-on", Kind.WORKSHOP), ("Séminaire", Kind.SEMINAR),
        ("Formation", Kind.TRAINING), ("Réunion d'équipe", Kind.MEETING), ("Assemblée générale", Kind.MEETING),
        ("Déjeuner", Kind.BREAK), ("COFFEE BREAK", Kind.BREAK), ("Apéro", Kind.SOCIAL), ("Musik", Kind.SOCIAL),
    ],
)  # fmt: skip
def test_kinds_in_three_languages(word: str, kind: Kind) -> None:
    item = one(day(event(f"<type>{word}</type>")))
    assert item.kind is kind
    assert item.type_name == word.replace("&amp;", "&")


def test_what_the_file_does_not_say_is_known_as_unsaid() -> None:
    assert one(day(event())).unsaid >= {"speakers", "language", "do_not_record", "do_not_stream", "kind", "abstract"}
    said = one(day(event("<persons/><abstract/><recording><optout>false</optout></recording><type>Talk</type>")))
    assert not said.unsaid & {"speakers", "abstract", "do_not_record", "kind"}


@pytest.mark.parametrize(
    ("optout", "flag"),
    [("true", Flag.YES), ("false", Flag.NO), ("", Flag.NO), ("1", Flag.YES), ("speaker says no", Flag.YES)],
)
def test_optouts_in_doubt_mean_do_not_record(optout: str, flag: Flag) -> None:
    xml = day(event(f"<recording><optout>{optout}</optout></recording>"))
    assert one(xml).do_not_record is flag
    assert ("unclear_flag" in codes(xml)) == (optout == "speaker says no")


def test_overlaps_in_a_room_and_unknown_zones_are_told() -> None:
    xml = day(
        event() + event(attributes="guid='g2' id='2'", date="2026-05-04T09:30:00+02:00"),
        head="<time_zone_name>Mars/Base</time_zone_name>",
    )
    assert codes(xml) == {"overlap", "unknown_timezone"}
    assert read(xml).timezone == ""


def rooms(*inside: tuple[str, str]) -> str:
    listed = "".join(f"<room name='{name}'>{events}</room>" for name, events in inside)
    return f"<schedule><version>1</version><day index='1' date='2026-05-04'>{listed}</day></schedule>"


def test_a_session_that_is_listed_in_several_rooms_is_one_whichever_comes_first() -> None:
    first, second = "guid='b1' id='7'", "guid='a1' id='7'"  # pretalx: each slot of a submission has its own guid
    one_way = one(rooms(("Hall", event(attributes=first)), ("Lab", event(attributes=second))))
    other_way = one(rooms(("Lab", event(attributes=second)), ("Hall", event(attributes=first))))
    assert (one_way.room, one_way.also_in) == ("Hall", ("Lab",))
    assert (other_way.room, other_way.also_in) == ("Lab", ("Hall",))
    assert (one_way.guid, one_way.id) == (other_way.guid, other_way.id) == ("a1", "7")
    same_guid = rooms(*((name, event()) for name in ("Hall", "Lab", "Foyer")))
    assert one(same_guid).also_in == ("Lab", "Foyer")
    assert "duplicate_guid" not in codes(same_guid)


def test_what_only_looks_alike_stays_apart() -> None:
    later = event(date="2026-05-04T10:00:00+02:00")
    assert len(read(rooms(("Hall", event()), ("Lab", later))).items) == 2
    parallel = read(rooms(("Hall", event(attributes="id='1'")), ("Lab", event(attributes="id='2'")))).items
    assert [item.also_in for item in parallel] == [(), ()]
