"""The administration has words, in its own catalogue, for all that the server logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from streamer.api.event_models import EventChange
from streamer.api.models import GrantChange, VenueChange
from streamer.api.room_models import RoomChange
from streamer.api.session_models import SessionChange
from streamer.conference.grants import Action
from streamer.director.kinds import KINDS

ROOT = Path(__file__).parents[3]
WORDS = (ROOT / "web/src/pages/admin/locales/audit.ts").read_text("utf-8")
LOGGING = {"AuditEntry": 3, "record": 2, "note": 1}
"""Calls that write to the log, with the place of the action."""
DAY = {"DayChange", "between"}


def logged() -> Iterator[str]:
    """The actions that calls in the source name."""
    for path in (ROOT / "streamer").rglob("*.py"):
        source = path.read_text("utf-8")
        # To parse the whole program takes a second.
        if "action=" not in source and not any(f"{name}(" in source for name in (*LOGGING, *DAY)):
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            action = named.get("kind") if name in DAY else named.get("action")
            if action is None and name in LOGGING and len(node.args) > LOGGING[name]:
                action = node.args[LOGGING[name]]
            if name not in (*LOGGING, *DAY, "erase", "write"):
                continue
            if isinstance(action, ast.Constant) and isinstance(action.value, str) and action.value:
                yield action.value
            if isinstance(action, ast.Attribute) and getattr(action.value, "id", "") == "Action":
                yield Action[action.attr].value


def test_each_action_of_the_log_has_words() -> None:
    found = {*logged(), *KINDS.values(), "recording.publish", "recording.unpublish", "recording.change"}
    assert {"login", "session.change", "media.forget", "schedule.import", "clock", "recording.delete"} <= found
    assert sorted(action for action in found if f"'did.{action}'" not in WORDS) == []


def test_each_field_of_a_change_has_a_name() -> None:
    changes = (VenueChange, RoomChange, EventChange, SessionChange, GrantChange)
    fields = {re.sub(r"_ms$", "", name) for model in changes for name in model.model_fields}
    fields |= {"published", "pinned", "skips", "role", "source", "started", "ended", "state"}
    assert sorted(name for name in fields if f"'field.{name}'" not in WORDS) == []
