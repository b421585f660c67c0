"""The commands' names in the audit log and for undo, and the right that each of them needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from streamer.conference import taps
from streamer.conference.grants import Action
from streamer.store.answers import CommandId, Once

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
    taps.ShowSlate: "air.slate",
    taps.TakeSource: "air.take",
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


def once_of(asked: CommandId | None, *commands: taps.Command, about: str = "") -> Once | None:
    """The commands with their id, if there is one: the same over Socket.IO and REST. ``about``: a room, venue or event
    that the commands do not name."""
    return None if asked is None else asked.once(about, [(kind_of(one), _said(one)) for one in commands])


def once_for_undo(asked: CommandId | None, action: str) -> Once | None:
    return None if asked is None else asked.once("undo", action)


def once_for_alarm(asked: CommandId | None, name: str, alarm: str, minutes: int = 0) -> Once | None:
    return None if asked is None else asked.once(f"alarm.{name}", alarm, minutes)


def _said(command: taps.Command) -> dict[str, Any]:
    """Fields with their defaults are left out: a later version may have more of them. So are those that the server has
    chosen, which may choose otherwise for a repeat."""
    chosen = {taps.AdHoc: "session", taps.Gain: "source"}.get(type(command))
    values = [(one.name, getattr(command, one.name), one.default) for one in fields(command) if one.name != chosen]
    return {name: value for name, value, usual in values if (type(value), value) != (type(usual), usual)}
