"""The schemas of Socket.IO's events as a components-only OpenAPI document, from which the pages' types are made."""

from __future__ import annotations

from typing import Any

import msgspec

from streamer.realtime import audience_messages, messages

_REF = "#/components/schemas/{name}"
EVENTS = {**messages.EVENTS, **audience_messages.EVENTS}


def socket_document() -> dict[str, Any]:
    """JSON-able. ``Events`` maps an event's type to its ``data``; what is taken away is told as ``Removed``."""
    structs = [messages.Snapshot, messages.Event, messages.SessionRemoved, audience_messages.Removed]
    types = [*EVENTS.values(), *structs]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    events = dict(zip(sorted(EVENTS), [schemas[types.index(EVENTS[name])] for name in sorted(EVENTS)], strict=True))
    components["Events"] = {"type": "object", "properties": events, "required": list(events)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Streamer, Socket.IO", "version": "1"},
        "paths": {},
        "components": {"schemas": dict(sorted(components.items()))},
    }
