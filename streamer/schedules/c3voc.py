"""c3voc's schedule.json: version 1 (frab, pretalx, wafer) and the flat *schedule2* of the hub. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamer.conference.schedule import Schedule
from streamer.conference.sessions import Flag
from streamer.schedules.entries import EntryDay, Raw, day_change_minutes, read_day, read_entry
from streamer.schedules.frab import conference_span
from streamer.schedules.reading import Collector, Unreadable
from streamer.schedules.words import NAME_CHARACTERS, address_of, language_of, one_line, text_of

_MAX_VALUES = 3_000_000
_PERSON_CODE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_ROOM_RECORDING = {"RECORDING_FORBIDDEN": Flag.YES, "NOT_RECORDED_BY_DEFAULT": Flag.ASK}


def read_c3voc(data: bytes, *, timezone: str) -> Schedule:
    """Raises Unreadable."""
    # Each value has a bracket or a comma beside it, so this bounds the memory before anything is built.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > _MAX_VALUES:
        raise Unreadable(f"it has more than {_MAX_VALUES} values")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {str(error)[:200] or 'too deep'}") from error
    schedule = document.get("schedule") if isinstance(document, dict) else None
    if not isinstance(schedule, dict):
        raise Unreadable("its JSON has no object “schedule”")
    conference = schedule.get("conference")
    if not isinstance(conference, dict):
        raise Unreadable("its schedule has no object “conference”")
    if "rooms" in schedule:
        # The schema says `"rooms": false`: such a file follows another draft, and nobody knows the true meaning of its
        # fields.
        raise Unreadable(
            ["schedule.rooms is not allowed: rooms belong to schedule.conference", *_objections(conference)]
        )
    reader = _Reader(schedule, conference, timezone)
    if isinstance(schedule.get("events"), list):
        return reader.flat()
    if isinstance(conference.get("days"), list):
        return reader.by_day()
    raise Unreadable("it has neither schedule.events nor schedule.conference.days")


class _Reader:
    def __init__(self, schedule: Raw, conference: Raw, timezone: str) -> None:
        self._schedule_raw = schedule
        self._conference = conference
        self._recording: dict[str, Flag] = {}
        self.collector = Collector(timezone)
        self.collector.in_zone(conference.get("time_zone_name"))
        for room in _objects(conference.get("rooms")):
            name = self._room(room)
            features = room.get("features")
            if name and isinstance(features, Mapping):
                flag = _ROOM_RECORDING.get(one_line(features.get("recording"), 40).upper())
                if flag is not None:
                    self._recording[name] = flag

    def by_day(self) -> Schedule:
        days = []
        for raw in _objects(self._conference.get("days")):
            day = read_day(raw, self.collector)
            days.append(day)
            rooms = raw.get("rooms")
            if isinstance(rooms, list):
                rooms = {text_of(room.get("name")): room.get("events") for room in _objects(rooms)}
            if not isinstance(rooms, Mapping):
                self.collector.warn("no_rooms", f"The day {one_line(raw.get('date'), 40)} has no rooms.")
                continue
            for name, entries in rooms.items():
                room = self.collector.room(name)
                if not isinstance(entries, list):
                    self.collector.warn("no_events", f"The room {room or '?'} has no list of events.")
                    continue
                for entry in entries:
                    if not isinstance(entry, Mapping):
                        self.collector.warn("no_object", f"An event in {room or '?'} is no object.")
                        continue
                    self._entry(entry, room or self._room(entry.get("room")), day)
        return self._result(days)

    def flat(self) -> Schedule:
        days = [read_day(raw, self.collector) for raw in _objects(self._conference.get("days"))]
        tracks = {
            text_of(track.get("slug")): text_of(track.get("name"))
            for track in _objects(self._conference.get("tracks"))
            if track.get("slug") and track.get("name")
        }
        for entry in self._schedule_raw["events"]:
            if not isinstance(entry, Mapping):
                self.collector.warn("no_object", "An event is no object.")
                continue
            track = entry.get("track")
            if isinstance(track, Mapping) and not track.get("name"):
                entry = {**entry, "track": tracks.get(text_of(track.get("slug")), text_of(track.get("slug")))}
            self._entry(entry, self._room(entry.get("room")), EntryDay())
        return self._result(days)

    def _entry(self, entry: Raw, room: str, day: EntryDay) -> None:
        read_entry(entry, room, day, self.collector, default_record=self._recording.get(room, Flag.NO))

    def _room(self, raw: object) -> str:
        """The name of a room that is given by name, or as an object with a name, slug or guid; the room is added."""
        if not isinstance(raw, Mapping):
            return self.collector.room(text_of(raw))
        guid = one_line(raw.get("guid"), 128)
        slug = one_line(raw.get("slug"), NAME_CHARACTERS)
        name = text_of(raw.get("name")) or self.collector.room_by(guid=guid, slug=slug) or slug
        capacity = raw.get("capacity")
        whole = int(capacity) if isinstance(capacity, int | float) and 0 < capacity < 1_000_000 else None
        return self.collector.room(name, guid=guid, slug=slug, capacity=whole)

    def _result(self, days: list[EntryDay]) -> Schedule:
        conference = self._conference
        start_ms, end_ms = conference_span(dict(conference), self.collector)
        languages = conference.get("languages")
        defaults = conference.get("defaults")
        language = language_of(defaults.get("language")) if isinstance(defaults, Mapping) else ""
        if not language and isinstance(languages, list) and len(languages) == 1:
            language = language_of(languages[0])
        version = one_line(self._schedule_raw.get("version"), 200)
        if not version:
            self.collector.warn("no_version", "The schedule has no version.")
        return self.collector.schedule(
            title=one_line(conference.get("title")),
            acronym=one_line(conference.get("acronym"), 128),
            version=version,
            url=address_of(conference.get("url")) or address_of(self._schedule_raw.get("base_url")),
            language=language,
            start_ms=start_ms,
            end_ms=end_ms,
            day_change_minutes=day_change_minutes(days),
        )


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _objections(conference: Raw) -> list[str]:
    """Further violations of the schema, for the author of the file: one line for each kind of mistake."""
    found: dict[str, str] = {}
    for day in _objects(conference.get("days")):
        rooms = day.get("rooms")
        for entries in rooms.values() if isinstance(rooms, Mapping) else ():
            for entry in _objects(entries):
                name = one_line(entry.get("title"), 60) or one_line(entry.get("guid"), 60) or "?"
                if not isinstance(entry.get("id"), int):
                    found.setdefault("id", f"id of “{name}” is not a number")
                for key in sorted(set(entry) & {"answers"}):
                    found.setdefault(key, f"“{name}” has a field {key}, which is not allowed")
                for person in _objects(entry.get("persons")):
                    if "id" in person and not isinstance(person["id"], int):
                        found.setdefault("person id", f"the id of a person of “{name}” is not a number")
                    code = text_of(person.get("code"))
                    if any(character not in _PERSON_CODE for character in code):
                        found.setdefault("person code", f"the code of a person of “{name}” is not in A-Z and 0-9")
    return list(found.values())
