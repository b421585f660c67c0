"""Socket.IO as an AsyncAPI 3 document, made from the tables of commands and the schemas of the messages.

``python -m streamer.realtime.schemas`` prints it. ``protocol.md`` explains the messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from streamer import __version__
from streamer.audience import messages as audience_messages
from streamer.realtime import messages
from streamer.realtime.commands import CommandOptions
from streamer.realtime.hub import AUDIENCE, MODERATION, STUDIO
from streamer.realtime.rights import ENTRY
from streamer.realtime.service import TABLES

EVENTS: Mapping[str, Any] = {**messages.EVENTS, **audience_messages.EVENTS}
_EVERYWHERE = ("session.changed", "broadcast.changed")
_CREW = ("crew.line", "trouble", "sanction", "report", "claim", "action")
_PARTICIPANTS = ("caption", "you", "cue")
TOLD: Mapping[str, Sequence[str]] = {
    AUDIENCE: (*_EVERYWHERE, *(kind for kind in audience_messages.EVENTS if kind not in _CREW)),
    MODERATION: (*_EVERYWHERE, *(kind for kind in audience_messages.EVENTS if kind not in _PARTICIPANTS)),
    STUDIO: (*messages.EVENTS, "crew.line", "trouble"),
}
"""Namespace -> the types of the events that its clients may get."""
ITEMS = frozenset({"question.changed", "poll.changed", "notice", "cue", "crew.line"})
"""Events whose item may be removed."""
_REF = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "details": {"type": "object"},
        "retry_after": {"type": "integer", "description": "Seconds"},
    },
    "required": ["code", "message", "details"],
}


def schemas() -> dict[str, Any]:
    """JSON Schemas by name. ``Events`` maps an event's type to its ``data``, ``Commands`` a namespace's commands to
    their payloads."""
    commands = [(space, command.name, command.schema) for space, table in TABLES.items() for command in table]
    frames = [
        CommandOptions,
        messages.Handshake,
        messages.RoomSnapshot,
        messages.EventEntry,
        messages.SessionRemoved,
        audience_messages.Removed,
        audience_messages.AddressHeld,
        audience_messages.ParticipantRecord,
    ]
    types = [*EVENTS.values(), *(struct for _, _, struct in commands), *frames]
    references, components = msgspec.json.schema_components(types, ref_template=_REF)
    events = dict(zip(EVENTS, references[: len(EVENTS)], strict=True))
    payloads: dict[str, dict[str, Any]] = {}
    for (space, name, _), reference in zip(commands, references[len(EVENTS) : -len(frames)], strict=True):
        payloads.setdefault(space, {})[name] = reference
    components["Events"] = _object(events)
    components["Commands"] = _object({space: _object(found) for space, found in payloads.items()})
    components["Error"] = _ERROR
    return dict(sorted(components.items()))


def socket_document() -> dict[str, Any]:
    """The schemas alone, as an OpenAPI document of components, for programs that make types of one."""
    return {"openapi": "3.1.0", "info": _info(), "paths": {}, "components": {"schemas": schemas()}}


def asyncapi_document() -> dict[str, Any]:
    """JSON-able. A channel is a namespace; its operations are the clients' commands and the events."""
    found = schemas()
    sent: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for space, table in TABLES.items():
        name, entry = space.removeprefix("/"), ENTRY[space]
        payloads = found["Commands"]["properties"][space]["properties"]
        for command in table:
            needs = f"Needs `{command.action.value}`." if command.action is not None else "Needs no grant."
            sent[f"{name}.{command.name}"] = {
                "name": command.name,
                "summary": needs,
                "headers": {"$ref": _REF.format(name="CommandOptions")},
                "payload": payloads[command.name],
            }
            operations[f"{name}.{command.name}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": needs,
                "messages": [{"$ref": f"#/channels/{name}/messages/{name}.{command.name}"}],
                "reply": {
                    "channel": {"$ref": f"#/channels/{name}"},
                    "messages": [{"$ref": f"#/channels/{name}/messages/acknowledgement"}],
                },
            }
        told = ["snapshot", *(f"event.{kind}" for kind in TOLD[space]), "closed"]
        inside = [f"{name}.{command.name}" for command in table]
        channels[name] = {
            "address": space,
            "summary": "Open to everybody." if entry is None else f"Needs `{entry.value}` in the room.",
            "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in (*inside, "acknowledgement", *told)},
        }
        operations[f"{name}.told"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{one}"} for one in told],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            **_info(),
            "description": (
                "What audiences, moderators and studios say and are told over Socket.IO. A message named `event.TYPE` "
                "is an entry of the list that `events` carries. The headers of a command are its second argument, "
                "which may be left out."
            ),
            "license": {"name": "AGPL-3.0-or-later"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {**sent, **_answers(), **_told(found)}, "schemas": found},
    }


def _info() -> dict[str, str]:
    return {"title": "Streamer, Socket.IO", "version": __version__}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _answers() -> dict[str, Any]:
    error = {"$ref": _REF.format(name="Error")}
    done = {"type": "object", "properties": {"ok": {"const": True}}, "required": ["ok"]}
    refused = {"type": "object", "properties": {"ok": {"const": False}, "error": error}, "required": ["ok", "error"]}
    closed = {"type": "object", "properties": {"error": error}, "required": ["error"]}
    return {
        "acknowledgement": {"name": "acknowledgement", "payload": {"oneOf": [done, refused]}},
        "closed": {"name": "closed", "payload": closed},
        "snapshot": {"name": "snapshot", "payload": {"$ref": _REF.format(name="RoomSnapshot")}},
    }


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    frame = found["EventEntry"]
    told = {}
    for kind, schema in found["Events"]["properties"].items():
        gone = "SessionRemoved" if kind == "session.changed" else "Removed" if kind in ITEMS else None
        data = schema if gone is None else {"anyOf": [schema, {"$ref": _REF.format(name=gone)}]}
        payload = {**frame, "title": kind, "properties": {**frame["properties"], "type": {"const": kind}, "data": data}}
        told[f"event.{kind}"] = {"name": "events", "title": kind, "payload": payload}
    return told


if __name__ == "__main__":
    print(json.dumps(asyncapi_document(), indent=1))
