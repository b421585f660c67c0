"""The page that clients are written by, held against the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import msgspec

from streamer.audience import messages as audience_messages
from streamer.realtime import messages
from streamer.realtime.hub import NAMESPACES
from streamer.realtime.rights import ENTRY
from streamer.realtime.schemas import TOLD, asyncapi_document, schemas
from streamer.realtime.service import TABLES
from streamer.settings import RealtimeSettings

PAGE = (files("streamer.realtime") / "protocol.md").read_text("utf-8")


def _rows(text: str) -> list[list[str]]:
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


ROWS = _rows(PAGE)


def _named(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def _fields(text: str) -> set[str]:
    """Of ``{"a", "b": …}`` or ``{a?, b}``: the outermost names."""
    inside = text[text.index("{") + 1 : text.rindex("}")]
    while "{" in inside:
        inside = re.sub(r"{[^{}]*}", "", inside)
    return {re.split(r"[:?]", part)[0].strip().strip('"') for part in inside.split(",") if part.strip()}


def test_every_command_stands_on_the_page_with_its_fields_and_what_it_needs() -> None:
    for namespace, table in TABLES.items():
        section = PAGE.split(f"\n### `{namespace}`\n")[1].split("\n##")[0]
        page = {_named(row[0])[0]: row for row in _rows(section)}
        assert set(page) == {command.name for command in table}
        for command in table:
            _, payload, needs, _ = page[command.name]
            named = _fields(_named(payload)[0])
            assert named == {f.encode_name for f in msgspec.structs.fields(command.schema)} - {"room"}, command.name
            if namespace == "/audience":
                assert (command.action, needs) == (None, "nothing"), command.name
            else:
                assert command.action is not None
                if (namespace, command.name) != ("/studio", "undo"):
                    assert _named(needs) == [command.action.value], command.name


def test_every_event_stands_on_the_page_with_its_fields() -> None:
    page = {_named(row[0])[0]: row for row in ROWS if len(row) == 3 and not row[0].startswith("`/")}
    events = {**messages.EVENTS, **audience_messages.EVENTS}
    assert set(page) == set(events)
    for kind, schema in events.items():
        if kind == "session.changed":
            continue
        named = _fields(_named(page[kind][2])[0])
        assert named == {field.name for field in msgspec.structs.fields(schema)}, kind


def test_every_namespace_is_told_what_the_page_says() -> None:
    page = {_named(row[0])[0]: row[1] for row in ROWS if len(row) == 3 and not row[0].startswith("`/")}
    own = {"/audience"}
    named = {kind: set(_named(where)) | (own if "own" in where else set()) for kind, where in page.items()}
    everywhere = {kind: set(TOLD) if where == "all" else named[kind] & set(TOLD) for kind, where in page.items()}
    assert {kind: {space for space, told in TOLD.items() if kind in told} for kind in page} == everywhere


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _references(one)


def test_the_document_says_what_is_sent_and_told_and_each_reference_leads_somewhere() -> None:
    document = asyncapi_document()
    for reference in _references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    for space, table in TABLES.items():
        name = space.removeprefix("/")
        sent = {key for key, one in document["operations"].items() if key.startswith(f"{name}.") if "reply" in one}
        assert sent == {f"{name}.{command.name}" for command in table}
        messages_told = set(document["channels"][name]["messages"]) - sent
        assert messages_told == {"acknowledgement", "snapshot", "closed"} | {f"event.{kind}" for kind in TOLD[space]}
    assert set(schemas()["Events"]["required"]) == {kind for told in TOLD.values() for kind in told}


def test_namespaces_and_what_they_need() -> None:
    page = {_named(row[0])[0]: row for row in ROWS if row[0].startswith("`/")}
    assert set(page) == set(NAMESPACES) == set(ENTRY) == set(TABLES)
    for namespace, action in ENTRY.items():
        if action is not None:
            assert _named(page[namespace][2])[0] == action.value


def test_handshake_and_snapshot_have_the_fields_that_the_page_names() -> None:
    page = {name for row in ROWS if len(row) == 2 for name in _named(row[0])}
    handshake = {field.name for field in msgspec.structs.fields(messages.Handshake)}
    snapshot = {field.name for field in msgspec.structs.fields(messages.RoomSnapshot)}
    assert page == handshake | snapshot


OVER_REST = {"captioning.py", "_ad_hoc", "_answer", "_cancel", "_delay", "_reopen"}
"""Modules, and functions of ``taps.py``, that only REST asks."""


def _codes(node: ast.AST) -> Iterator[str]:
    """Of ``…(code="x")``, ``_refuse("x", …)``, ``refuse_later(…, "x", …)`` and ``no_such("x")``."""
    for call in (found for found in ast.walk(node) if isinstance(found, ast.Call)):
        named = {given.arg: given.value for given in call.keywords}
        function = call.func.id if isinstance(call.func, ast.Name) else ""
        place = {"_refuse": 0, "refuse_later": 1, "no_such": 0}.get(function)
        value = named.get("code") if place is None else call.args[place]
        if isinstance(value, ast.Constant):
            code = str(value.value)
            yield f"no_such_{code}" if function == "no_such" else code


def test_every_code_that_a_client_may_get_stands_on_the_page() -> None:
    trees: list[ast.AST] = [
        ast.parse(module.read_text("utf-8"))
        for package in ("streamer.audience", "streamer.realtime")
        for module in files(package).iterdir()
        if module.name.endswith(".py") and module.name not in OVER_REST
    ]
    taps = ast.parse((files("streamer.conference") / "taps.py").read_text("utf-8"))
    trees += [part for part in taps.body if getattr(part, "name", "") not in OVER_REST]
    codes = {code for tree in trees for code in _codes(tree)}
    assert {"slow_mode", "no_such_poll", "before_previous", "claimed"} <= codes
    assert codes - set(_named(PAGE)) == set()


def test_the_limits_are_those_of_the_settings() -> None:
    limits = RealtimeSettings()
    assert f"{limits.max_message_bytes // 1024} KiB" in PAGE
    assert f"{limits.commands_burst} commands at once and {limits.commands_per_s:g} a second" in PAGE
    assert f"{limits.address_commands_burst} and {limits.address_commands_per_s:g}" in PAGE
    assert f"within {limits.join_s:g} s" in PAGE
    assert f"{limits.log_s / 60:g} minutes" in PAGE
