"""The rules of c3voc's official schemas for schedule.xml and schedule.json, as far as we write them, in our own words.

The schemas themselves stay out of the repository; test_official_schemas.py uses them if they are there.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree as ET

MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
WEB = r"https?://[!-~]+"
EVENT_ELEMENTS = {
    "room": r"(?s).*",
    "title": r"(?s).*",
    "subtitle": r"(?s).*",
    "type": r"(?s).*",
    "date": MOMENT,
    "start": r"[0-2]\d:[0-5]\d(:[0-5]\d)?",
    "duration": r"\d{1,2}:\d\d(:\d{1,2})?",
    "abstract": r"(?s).*",
    "slug": r"[a-z0-9_]{4,}-[a-z0-9_-]{4,}",
    "track": r"(?s).*",
    "logo": WEB,
    "persons": r"\s*",
    "language": r"(?s).*",
    "description": r"(?s).*",
    "recording": r"\s*",
    "links": r"\s*",
    "attachments": r"\s*",
    "url": WEB,
}
REQUIRED = {"room", "title", "type", "date", "start", "duration", "abstract", "track"}


def check_xml(document: bytes) -> ET.Element:
    """Raises AssertionError for violations of the XSD; returns the root."""
    root = ET.fromstring(document)
    assert root.tag == "schedule"
    names = [child.tag for child in root]
    order = [name for name in ("generator", "url", "version", "conference", "day") if name in names]
    assert list(dict.fromkeys(names)) == order, names
    assert names.count("version") == names.count("conference") == 1
    assert "day" in names
    conference = root.find("conference")
    assert conference is not None
    _child(conference, "acronym", r"[a-z0-9_-]{4,}")
    _child(conference, "title", r"(?s).*")
    _child(conference, "start", MOMENT, required=False)
    _child(conference, "end", MOMENT, required=False)
    _child(conference, "days", r"\d+")
    for track in conference.findall("track"):
        assert track.get("name")
        assert re.fullmatch(r"[a-z][a-z0-9-]+", track.get("slug", "ab"))
    days = root.findall("day")
    _unique([day.get("index") for day in days])
    for day in days:
        assert int(day.attrib["index"]) > 0
        date.fromisoformat(day.attrib["date"])
        assert re.fullmatch(MOMENT, day.attrib["start"])
        assert re.fullmatch(MOMENT, day.attrib["end"])
        for room in day:
            assert room.tag == "room"
            assert "name" in room.attrib
            assert re.fullmatch(UUID, room.get("guid", "0" * 8 + "-0000" * 3 + "-" + "0" * 12))
            for event in room:
                _check_event(event)
    events = root.findall("day/room/event")
    _unique([event.get("guid") for event in events])
    _unique([event.get("id") for event in events])
    _unique([slug.text for slug in root.findall("day/room/event/slug")])
    return root


def _check_event(event: ET.Element) -> None:
    assert event.tag == "event"
    assert int(event.attrib["id"]) > 0
    assert re.fullmatch(UUID, event.attrib["guid"])
    names = [child.tag for child in event]
    _unique(names)
    assert set(names) >= REQUIRED, names
    for child in event:
        assert re.fullmatch(EVENT_ELEMENTS[child.tag], child.text or ""), (child.tag, child.text)
    datetime.fromisoformat(event.findtext("date", ""))
    recording = event.find("recording")
    assert recording is not None
    assert {child.tag for child in recording} == {"license", "optout"}
    _child(recording, "optout", "true|false")


def _child(parent: ET.Element, name: str, pattern: str, *, required: bool = True) -> None:
    found = parent.findall(name)
    assert len(found) == 1 or (not found and not required), name
    for child in found:
        assert re.fullmatch(pattern, child.text or ""), (name, child.text)


def _unique(values: list[Any]) -> None:
    assert len(values) == len(set(values)), values


_EVENT_FIELDS: dict[str, Any] = {
    "guid": UUID,
    "id": int,
    "logo": WEB,
    "date": MOMENT,
    "start": r"(0\d|1\d|2[0-3]):[0-5]\d",
    "end": MOMENT,
    "duration": r"\d+:\d\d",
    "room": str,
    "slug": r"[a-z0-9_-]+[a-z0-9]",
    "url": rf"{WEB}|urn:uuid:{UUID}",
    "title": str,
    "subtitle": (str, None),
    "track": (str, None),
    "type": str,
    "language": (str, None),
    "abstract": (str, None),
    "description": (str, None),
    "recording_license": str,
    "do_not_record": (bool, None),
    "do_not_stream": (bool, str, None),
    "persons": list,
    "links": list,
    "attachments": list,
}
_OPTIONAL = {"logo"}


def check_json(document: bytes) -> dict[str, Any]:
    """Raises AssertionError for violations of the JSON schema; returns the conference."""
    whole = json.loads(document)
    assert set(whole) <= {"$schema", "generator", "schedule"}
    schedule = whole["schedule"]
    assert isinstance(schedule["version"], str)
    assert "rooms" not in schedule
    conference: dict[str, Any] = schedule["conference"]
    assert set(conference) <= {
        "acronym", "title", "start", "end", "daysCount", "timeslot_duration", "time_zone_name", "url", "tracks",
        "rooms", "days",
    }  # fmt: skip
    assert re.fullmatch(r"[a-z0-9_-][a-z0-9_]{3,}(-2[0-9]{3}-[a-z]+)?", conference["acronym"])
    assert re.search(r"^([A-Z][a-z]+/[A-Z][a-z]+)|UTC$", conference.get("time_zone_name", "UTC"))
    assert conference["daysCount"] == len(conference["days"])
    for room in conference["rooms"]:
        assert set(room) <= {"name", "guid", "slug", "capacity"}
        assert re.fullmatch(UUID, room["guid"])
        assert re.fullmatch(r"[a-z0-9_-]+[a-z0-9]", room.get("slug", "ab"))
    slugs = []
    for day in conference["days"]:
        assert set(day) == {"index", "date", "day_start", "day_end", "rooms"}
        date.fromisoformat(day["date"])
        for field in ("day_start", "day_end"):
            assert re.fullmatch(MOMENT, day[field])
        for events in day["rooms"].values():
            for event in events:
                _check_fields(event)
                slugs.append(event["slug"])
    _unique(slugs)
    return conference


def _check_fields(event: dict[str, Any]) -> None:
    assert set(event) - _OPTIONAL == set(_EVENT_FIELDS) - _OPTIONAL
    for name, value in event.items():
        wanted = _EVENT_FIELDS[name]
        if isinstance(wanted, str):
            assert isinstance(value, str)
            assert re.fullmatch(wanted, value), (name, value)
        else:
            kinds = wanted if isinstance(wanted, tuple) else (wanted,)
            assert any(value is None if kind is None else type(value) is kind for kind in kinds), (name, value)
    assert event["id"] > 0
    for person in event["persons"]:
        assert person["name"]
        # Exactly one of frab's form (public_name and id) and pretalx's (name).
        assert "id" not in person
    for reference in (*event["links"], *event["attachments"]):
        assert set(reference) == {"title", "url"}
        assert re.fullmatch(WEB, reference["url"])
