"""The official XSD and JSON schema, where they are: STREAMER_FIXTURES, or ../shared/fixtures beside the repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from lxml import etree

from streamer.conference.schedule import Schedule
from streamer.schedules.detect import read_schedule
from streamer.schedules.write_frab import write_frab
from streamer.schedules.write_json import write_json
from tests.fakes.chance import examples
from tests.fakes.schedules import schedules

# Read here: no test sees the environment's STREAMER_ settings.
_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "fixtures"
FOLDER = Path(os.environ.get("STREAMER_FIXTURES") or _BESIDE) / "schedules"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "schedule.xml.xsd").is_file(), reason="optional: no official schemas (STREAMER_FIXTURES)"
)
FILES = (
    "divoc_ptt_schedule.xml", "divoc_ptt_schedule.json", "divoc_ptt_schedule.ics", "divoc_r2r_schedule.xml",
    "engel_minimal.xml", "engel_extended.xml", "engel_multiple.xml", "voctomix.xml", "pretalx-democon.json",
    "hub-schedule2.json", "jres_2022.ics",
)  # fmt: skip


@pytest.fixture(scope="module")
def xsd() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(FOLDER / "schedule.xml.xsd")))


@pytest.fixture(scope="module")
def validator() -> Any:
    # Three seconds of grammars, which only the worker that runs these tests is to load.
    import jsonschema

    schema = json.loads((FOLDER / "schema.json").read_text())
    return jsonschema.Draft6Validator(schema, format_checker=jsonschema.Draft6Validator.FORMAT_CHECKER)


def check(schedule: Schedule, xsd: etree.XMLSchema, validator: Any) -> None:
    xsd.assertValid(etree.fromstring(write_frab(schedule)))
    validator.validate(json.loads(write_json(schedule)))


@settings(max_examples=examples(15), deadline=None)
@given(schedule=schedules())
def test_whatever_is_planned_is_valid(schedule: Schedule, xsd: etree.XMLSchema, validator: Any) -> None:
    check(schedule, xsd, validator)


def test_nothing_planned_is_valid(xsd: etree.XMLSchema, validator: Any) -> None:
    check(Schedule(title=""), xsd, validator)


@pytest.mark.parametrize("name", FILES)
def test_real_schedules_are_valid_when_we_write_them(name: str, xsd: etree.XMLSchema, validator: Any) -> None:
    schedule = read_schedule((FOLDER / name).read_bytes(), timezone="Europe/Paris", now_ms=1_780_000_000_000)
    assert schedule.items
    check(schedule, xsd, validator)
    kept = [item for item in schedule.items if not item.cancelled]
    for document in (write_frab(schedule), write_json(schedule)):
        again = read_schedule(document, timezone="Europe/Paris", now_ms=1_780_000_000_000)
        assert len(again.items) == len(kept)
        assert [(i.title, i.start_ms, i.room) for i in again.items] == [(i.title, i.start_ms, i.room) for i in kept]
        assert [i.speakers for i in again.items] == [i.speakers for i in kept]
