"""``streamer import`` as somebody types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command import streamer


def schedule(hour: int = 9, **event: Any) -> str:
    entry = {
        "guid": "8079583e-8321-506c-95af-fd2903a5f075", "id": 1, "title": "First [talk]", "duration": "00:45",
        "date": f"2036-05-04T{hour:02d}:00:00+02:00", "room": "Grande salle", "type": "Talk", **event,
    }  # fmt: skip
    conference = {
        "acronym": "journees", "title": "Journées", "days": [{"date": "2036-05-04", "rooms": {"Grande salle": [entry]}}]
    }  # fmt: skip
    return json.dumps({"schedule": {"version": "1", "conference": conference}})


def test_an_import_shows_what_it_does_and_a_second_one_that_there_is_nothing_to_do(tmp_path: Path) -> None:
    file, data = tmp_path / "s.json", str(tmp_path / "d")
    (tmp_path / "d").mkdir()
    file.write_text(schedule())
    dry = streamer("import", str(file), "--data", data, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "First [talk]" in dry.stdout
    assert "nothing is written" in dry.stdout
    first = streamer("import", str(file), "--data", data)
    assert first.returncode == 0, first.stderr
    assert "1 added" in first.stdout
    assert "New room: Grande salle (grande-salle)" in first.stdout
    second = streamer("import", str(file), "--data", data)
    assert "0 added, 0 moved, 0 changed, 0 cancelled, 1 unchanged" in second.stdout
    moved = streamer("import", "-", "--data", data, "--event", "journees", stdin=schedule(hour=10))
    assert "1 moved" in moved.stdout
    assert "04 May 09:00 → 04 May 10:00" in moved.stdout


def test_a_schedule_that_cannot_be_read_is_exit_code_1_with_every_reason(tmp_path: Path) -> None:
    bad = json.loads(schedule(id="x"))
    bad["schedule"]["rooms"] = []
    result = streamer("import", "-", "--data", str(tmp_path), stdin=json.dumps(bad))
    assert result.returncode == 1
    assert "schedule.rooms is not allowed" in result.stderr
    assert "is not a number" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["/no/such/file.xml"], ["ftp://a.org/s.xml"], []])
def test_what_is_neither_a_file_nor_an_address_is_wrong_usage(arguments: list[str]) -> None:
    assert streamer("import", *arguments).returncode == 2


def test_an_address_within_the_own_network_is_refused_and_an_unknown_venue_is_told(tmp_path: Path) -> None:
    inside = streamer("import", "http://127.0.0.1:9/s.xml", "--data", str(tmp_path))
    assert inside.returncode == 1
    assert "private network" in inside.stderr
    nowhere = streamer("import", "-", "--data", str(tmp_path), "--venue", "nantes", stdin=schedule())
    assert nowhere.returncode == 1
    assert "no such venue" in nowhere.stderr
