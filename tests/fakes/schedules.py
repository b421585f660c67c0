"""Schedules by chance, with what real ones have in them: odd characters, midnight, hours that are there twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Flag, Kind
from streamer.schedules.fields import line_of

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

# No < and &: readers take them for HTML that somebody pasted, which has tests of its own.
_CHARACTERS = st.characters(exclude_characters="<&")
LINE = st.text(_CHARACTERS, max_size=40)
TEXT = st.one_of(st.text(_CHARACTERS, max_size=80), st.text("abc é,;\\\n\r\"'", max_size=80), st.just("long é, " * 900))
ADDRESS = st.from_regex(r"https?://[a-z]{1,9}\.org/[a-z0-9/?=.-]{0,30}", fullmatch=True)
PAIRS = st.lists(st.tuples(LINE, ADDRESS), max_size=3).map(tuple)
ZONES = ("Europe/Paris", "UTC", "America/St_Johns", "Pacific/Chatham", "Etc/GMT+3", "Pacific/Apia")


def around(*moments: datetime) -> st.SearchStrategy[int]:
    """Whole seconds within two days of one of the moments."""
    return st.builds(
        lambda moment, seconds: int(moment.timestamp()) * 1000 + seconds * 1000,
        st.sampled_from(moments),
        st.integers(-2 * 86_400, 2 * 86_400),
    )


STARTS = around(
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 6, 1, 22, tzinfo=UTC),
    datetime(2025, 12, 31, 23, tzinfo=UTC),
)
DURATIONS = st.one_of(
    st.integers(1, 180).map(lambda m: m * MINUTE_MS), st.integers(1, 99 * 3600).map(lambda s: s * 1000)
)


@st.composite
def schedules(draw: st.DrawFn, **fixed: Any) -> Schedule:
    rooms = draw(st.lists(LINE.map(lambda text: f"Room {text}"), min_size=1, max_size=4, unique_by=line_of))
    count = draw(st.integers(0, 6))
    guids = draw(st.lists(st.uuids().map(str), min_size=count, max_size=count, unique=True))
    ids = draw(st.lists(st.integers(1, 10**9).map(str), min_size=count, max_size=count, unique=True))
    items = []
    for guid, number in zip(guids, ids, strict=True):
        start_ms = draw(STARTS)
        items.append(
            ScheduleItem(
                title="T " + draw(LINE),
                start_ms=start_ms,
                end_ms=start_ms + draw(DURATIONS),
                room=draw(st.sampled_from(rooms)),
                guid=guid,
                id=number,
                subtitle=draw(LINE),
                abstract=draw(TEXT),
                description=draw(TEXT),
                speakers=tuple(draw(st.lists(LINE, max_size=3))),
                language=draw(st.sampled_from(("", "fr", "en", "pt-BR"))),
                track=draw(LINE),
                kind=draw(st.sampled_from(Kind)),
                tags=tuple(draw(st.lists(LINE, max_size=3))),
                url=draw(ADDRESS),
                slug=draw(st.one_of(st.just(""), st.just(f"conf-{number}-a-title"), LINE)),
                do_not_record=draw(st.sampled_from((Flag.NO, Flag.YES))),
                do_not_stream=draw(st.sampled_from(Flag)),
                links=draw(PAIRS),
                attachments=draw(PAIRS),
                logo=draw(st.one_of(st.just(""), ADDRESS)),
                cancelled=draw(st.integers(0, 5)) == 0,
                sequence=draw(st.integers(0, 5)),
            )
        )
    first_ms = draw(STARTS)
    return Schedule(
        title=draw(LINE),
        acronym=draw(st.sampled_from(("conf_2026", "jdll", "", "ptt", "Été!"))),
        timezone=draw(st.sampled_from(ZONES)),
        version=draw(LINE),
        url=draw(ADDRESS),
        start_ms=first_ms,
        end_ms=first_ms + draw(DURATIONS),
        day_change_minutes=draw(st.sampled_from((0, 240, 360))),
        rooms=tuple(
            ScheduleRoom(
                name,
                guid=str(draw(st.uuids())),
                slug=f"room-{index}",
                capacity=draw(st.sampled_from((None, 80))),
            )
            for index, name in enumerate(rooms)
        ),
        items=tuple(items),
        **fixed,
    )
