"""Real exports, where they are: STREAMER_FIXTURES, or ../shared/fixtures beside the repository.

What a file holds is counted here without any of the readers: by patterns in its text.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.cli.importing import OPERATOR
from streamer.planning.importer import carry_out, plan
from streamer.schedules.detect import read_schedule
from streamer.schedules.reading import Unreadable
from tests.fakes.stores import sqlite_store

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
FOLDER = Path(os.environ.get("STREAMER_FIXTURES") or _BESIDE) / "schedules"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="optional: no real schedules (STREAMER_FIXTURES)")

NOW_MS = 1_790_000_000_000
Counts = tuple[int, int]


def xml_counts(text: str) -> Counts:
    """Rooms by the name of the element that sessions stand in; where it has none, by the sessions' own."""
    names = set(re.findall(r"<room\s[^>]*name=['\"]([^'\"]+)['\"]", text)) or set(
        re.findall(r"<room>([^<\s][^<]*)<", text)
    )
    return len(re.findall(r"<event[\s>]", text)), len(names)


def json_counts(text: str) -> Counts:
    conference = json.loads(text)["schedule"]["conference"]
    events = json.loads(text)["schedule"].get("events")
    if events is not None:
        return len(events), len(conference["rooms"])
    days = [room for day in conference["days"] for room in day["rooms"].items()]
    return sum(len(entries) for _, entries in days), len({name for name, _ in days})


def ics_counts(text: str) -> Counts:
    places = re.findall(r"^LOCATION[^:\r\n]*:(.+?)\r?$", text, re.MULTILINE)
    return text.count("BEGIN:VEVENT"), len(set(places))


COUNTS: dict[str, Callable[[str], Counts]] = {".xml": xml_counts, ".json": json_counts, ".ics": ics_counts}
REFUSED = {"invalid-example.json", "schema.json", "schema2.json", "schedule.xml.xsd", "divoc_ptt_schedule.xcal"}
FILES = sorted(path.name for path in FOLDER.glob("*") if path.name not in REFUSED)


@pytest.mark.parametrize("name", FILES)
async def test_a_real_file_is_imported_with_all_that_it_holds_and_once_only(name: str, tmp_path: Path) -> None:
    data = (FOLDER / name).read_bytes()
    sessions, rooms = COUNTS[Path(name).suffix](data.decode(errors="replace"))
    begun = time.process_time()
    schedule = read_schedule(data, timezone="Europe/Paris", now_ms=NOW_MS)
    took_ms = 1000 * (time.process_time() - begun)
    print(
        f"{name}: {sessions} sessions counted, {len(schedule.items)} read, {rooms} rooms counted, "
        f"{len(schedule.rooms)} read, {len(schedule.warnings)} warnings, {took_ms:.0f} ms"
    )
    for warning in schedule.warnings:
        print(f"  {warning.code}: {warning.item}: {warning.message}")
    assert (len(schedule.items), len(schedule.rooms)) == (sessions, rooms)
    database = sqlite_store(tmp_path)
    await database.start()
    try:
        for attempt in range(2):
            async with database.write() as connection:
                planned = await plan(connection, schedule, holder=OPERATOR, now_ms=NOW_MS, otherwise=Path(name).stem)
                done = await carry_out(connection, planned, now_ms=NOW_MS, who="admin", label="test", source=name)
            assert done.waiting == ()
            assert len(done.new) == (sessions if attempt == 0 else 0)
            assert bool(planned.difference.items) == (attempt == 0)
    finally:
        await database.close()


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_no_schedule_is_refused_with_reasons(name: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_schedule((FOLDER / name).read_bytes(), timezone="Europe/Paris", now_ms=NOW_MS)
    reasons = caught.value.details["reasons"]
    print(f"{name}: {reasons}")
    assert all(reasons)
    assert len(reasons) == (5 if name == "invalid-example.json" else 1)
