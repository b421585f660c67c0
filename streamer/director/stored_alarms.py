"""A room's alarm memory as it is stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import structlog

from streamer.conference.alarm_causes import RANKS
from streamer.conference.alarm_memory import AlarmMemory, Episode, Normal
from streamer.conference.alarms import Alarm

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredAlarms:
    episodes: tuple[Episode, ...] = ()
    normals: tuple[Normal, ...] = ()


def stored(memory: AlarmMemory) -> str:
    """Only what a restart must not forget, and nothing of people: an alarm about a link names its holder."""
    kept = [one for one in memory.episodes if one.alarm.code in RANKS or one.snoozed_until_ms is not None]
    plain = tuple(replace(one, alarm=nameless(one.alarm)) for one in kept)
    return msgspec.json.encode(StoredAlarms(plain, memory.normals)).decode("utf-8")


def restored(text: str) -> AlarmMemory:
    """An empty memory where it cannot be read: it is of another version."""
    try:
        found = msgspec.json.decode(text, type=StoredAlarms)
    except msgspec.DecodeError as error:
        log.warning("alarm_memory_unreadable", error=str(error))
        return AlarmMemory()
    return AlarmMemory(found.episodes, found.normals)


def nameless(alarm: Alarm) -> Alarm:
    """Without the holder of a link."""
    return replace(alarm, details={name: value for name, value in alarm.details.items() if name != "label"})
