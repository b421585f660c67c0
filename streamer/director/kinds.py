"""The commands' names in the audit log and for undo, and the right that each of them needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.conference import taps
from streamer.conference.grants import Action

KINDS: Mapping[type, str] = {
    taps.StartTap: "session.start",
    taps.End: "session.end",
    taps.Extend: "session.extend",
    taps.Delay: "session.delay",
    taps.Cancel: "session.cancel",
    taps.Reopen: "session.reopen",
    taps.AdHoc: "session.ad_hoc",
    taps.ConsentAnswer: "session.answer",
    taps.HoldOn: "room.hold",
    taps.Resume: "room.resume",
    taps.Slate: "air.slate",
    taps.Take: "air.take",
    taps.Gain: "air.gain",
    taps.SetSource: "source.set",
}

PERMISSIONS: Mapping[str, Action] = {
    "session.start": Action.SESSION_RUN,
    "session.end": Action.SESSION_RUN,
    "session.extend": Action.SESSION_RUN,
    "session.delay": Action.SESSION_DELAY,
    "session.cancel": Action.SESSION_CANCEL,
    "session.reopen": Action.SESSION_RUN,
    "session.ad_hoc": Action.SESSION_RUN,
    "session.answer": Action.SESSION_ANSWER,
    "room.hold": Action.ROOM_HOLD,
    "room.resume": Action.ROOM_HOLD,
    "air.slate": Action.ROOM_AIR,
    "air.take": Action.ROOM_AIR,
    "air.gain": Action.ROOM_AIR,
    "source.set": Action.ROOM_AIR,
}
"""Undoing an action needs the same right as taking it."""


def kind_of(command: taps.Command) -> str:
    return KINDS[type(command)]


def session_of(command: taps.Command) -> str | None:
    return getattr(command, "session", None)


def permission_of(kind: str) -> Action:
    return PERMISSIONS.get(kind, Action.ROOM_CREW)
