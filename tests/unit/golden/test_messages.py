"""Messages between processes of different versions, and with clients, byte for byte as they were recorded."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import inspect

import streamer
from streamer.archive.away import Away, Heads
from streamer.archive.files import LevelledSound, RecordingSidecar
from streamer.archive.material import Material
from streamer.audience import messages as audience_messages
from streamer.audience import views
from streamer.audience.state import Focus
from streamer.backup.bucket import BackupHolder
from streamer.backup.saving import LastBackup
from streamer.backup.target import Manifest
from streamer.broadcast.media_events import MediaEvent
from streamer.broadcast.orders import RoomOrders
from streamer.conference.grants import Action
from streamer.conference.participation import (
    CrewMessage,
    Message,
    Mode,
    ModerationAction,
    Notice,
    Poll,
    Question,
    Report,
    Sanction,
)
from streamer.control.framing import HEADER_BYTES, builtins_to, decode_control, decode_media, encode_frame
from streamer.control.messages import (
    HOST_METHODS,
    MAX_FRAME_BYTES,
    PROTOCOL_VERSION,
    ROOM_METHODS,
    Answer,
    Candidates,
    ControlMessage,
    CrewPicture,
    Forget,
    Forgot,
    Offer,
    PictureWanted,
    ProtocolError,
    RoomConfig,
    RoomEntry,
    RoomStatus,
    SourceStatus,
    TrackStatus,
)
from streamer.formats.erasures import Erasure
from streamer.host.media_host import ShutdownParams, StopParams
from streamer.realtime import bus_messages, messages
from streamer.realtime.commands import CommandOptions
from streamer.realtime.packets import ACK, CONNECT, EVENT, pack, pack_events, parse
from streamer.realtime.rights import ENTRY
from streamer.realtime.service import TABLES
from streamer.room.relay_wire import AudioFrame, RelayMessage, VideoFrame, ViewerCounts, decode_relay
from streamer.web.fronts import FrontReport
from tests.golden.filled import filled
from tests.golden.recorded import Format, json_format, same_formats, same_json

INSIDE = {
    "room config": RoomConfig,
    "room orders": RoomOrders,
    "room entry": RoomEntry,
    "room status": RoomStatus,
    "source status": SourceStatus,
    "track status": TrackStatus,
    "offer": Offer,
    "answer": Answer,
    "candidates": Candidates,
    "forget": Forget,
    "forgot": Forgot,
    "picture wanted": PictureWanted,
    "crew picture": CrewPicture,
    "error": ProtocolError,
    "viewers": ViewerCounts,
    "stop": StopParams,
    "shutdown": ShutdownParams,
}
"""The contents of a message's ``params``, ``result`` or ``data``."""
BUS = (
    bus_messages.Hello,
    bus_messages.Welcome,
    bus_messages.Enter,
    bus_messages.Command,
    bus_messages.Answered,
    bus_messages.Left,
    bus_messages.StreamMessage,
    *get_args(get_type_hints(bus_messages.StreamMessage)["what"]),
)
NOT_SENT = {
    *("_Record", "Sequenced", "ClientMessage", "RoomCommand", "SomeItems", "OwnLineUndo", "Still", "KeptWaveform"),
    *("SoundOrder", "SoundTrackOrder", "SoundRun", "SoundAnswer"),
}
"""Bases of others, those that stay in memory, a file that is made again where it cannot be read, and an order to a
process that is given again where it cannot be read."""


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


def _framed(kind: Any, decode: Callable[[bytes], Any]) -> Format:
    def decode_frame(frame: bytes) -> Any:
        assert len(frame) == HEADER_BYTES + int.from_bytes(frame[:HEADER_BYTES], "big")
        return decode(frame[HEADER_BYTES:])

    return Format(kind, encode_frame, decode_frame)


def _inside(kind: Any) -> Format:
    """As it comes out of a message: builtins first."""
    return Format(kind, msgspec.msgpack.encode, lambda data: builtins_to(msgspec.msgpack.decode(data), kind))


def test_control_messages() -> None:
    formats = {_tag(kind): _framed(kind, decode_control) for kind in get_args(ControlMessage)}
    same_formats("control.json", formats | {name: _inside(kind) for name, kind in INSIDE.items()})


def test_messages_of_front_processes() -> None:
    """A front process of before may speak to a core of today."""
    same_formats("bus.json", {kind.__name__: _inside(kind) for kind in BUS})


def test_media_events() -> None:
    same_formats("media_events.json", {_tag(kind): _framed(kind, decode_media) for kind in get_args(MediaEvent)})


def test_messages_of_the_relay() -> None:
    same_formats("relay.json", {_tag(kind): _framed(kind, decode_relay) for kind in (VideoFrame, AudioFrame)})
    assert set(get_args(RelayMessage)) == {VideoFrame, AudioFrame, *get_args(ControlMessage)}


def test_methods_and_bounds() -> None:
    value = {
        "version": PROTOCOL_VERSION,
        "max_frame_bytes": MAX_FRAME_BYTES,
        "host": HOST_METHODS,
        "room": ROOM_METHODS,
    }
    same_json("control_methods.json", value)


def test_commands_of_clients() -> None:
    commands = {f"{namespace} {one.name}": one for namespace, table in TABLES.items() for one in table}
    same_formats("socket_commands.json", {name: json_format(one.schema) for name, one in commands.items()})
    needs = {name: None if one.action is None else one.action.value for name, one in commands.items()}
    entry = {namespace: None if action is None else Action(action).value for namespace, action in ENTRY.items()}
    same_json("socket_rights.json", {"commands": needs, "namespaces": entry})


def test_events_to_clients() -> None:
    events = {**messages.EVENTS, **audience_messages.EVENTS, "removed": audience_messages.Removed}
    events["session.removed"] = messages.SessionRemoved
    del events["session.changed"]  # As over REST.
    frames = {"handshake": messages.Handshake, "snapshot": messages.RoomSnapshot, "event": messages.EventEntry}
    same_formats("socket_events.json", {name: json_format(kind) for name, kind in (events | frames).items()})


def test_items_as_each_viewpoint_is_told_of_them() -> None:
    message, question, poll, mode, sanction, report, line, notice, action = (
        filled(kind, f"item.{number}")
        for number, kind in enumerate(
            (Message, Question, Poll, Mode, Sanction, Report, CrewMessage, Notice, ModerationAction)
        )
    )
    shown = {
        "message": views.message_view(message),
        "message, moderators": views.message_for_moderators(message),
        "question": views.question_view(question, 7),
        "question, the other way": views.question_view(replace(question, anonymous=not question.anonymous), 7),
        "question, own": views.own_question_view(question, 7),
        "question, moderators": views.question_for_moderators(question, 7, Focus(None, 0)),
        "poll": views.poll_view(poll, {"a": (0,), "b": (0, 1)}),
        "poll, crew": views.poll_view(poll, {"a": (0,), "b": (0, 1)}, crew=True),
        "mode": views.mode_view(mode),
        "mode, moderators": views.mode_for_moderators(mode),
        "notice": views.notice_view(notice),
        "you": views.you_view(sanction, 0),
        "sanction": views.sanction_view(sanction, 0),
        "report": views.report_view(report),
        "line": views.crew_message_view(line),
        "action": views.action_view(action),
    }
    same_json("audience_items.json", shown)


def test_packets_of_socket_io() -> None:
    sent = {
        "connect": pack(CONNECT, "/studio", {"sid": "abc"}),
        "event": pack(EVENT, "/audience", ["snapshot", {"seq": 1}]),
        "ack": pack(ACK, "/moderation", [{"ok": True}], 17),
        "default": pack(EVENT, "/", ["x"]),
        "events": pack_events("/audience", [b'{"seq":1}', b'{"seq":2}']),
        "long": pack(EVENT, "/studio", ["x" * 200]),
    }
    same_json("socket_packets.json", {name: [one.payload.decode(), one.frame.hex()] for name, one in sent.items()})
    for one in sent.values():
        assert parse(one.payload.decode()).kind in (CONNECT, EVENT, ACK)


def test_every_struct_of_the_program_is_recorded() -> None:
    """So that a new one is seen here, where somebody thinks of the versions that do not know it."""
    for module in pkgutil.walk_packages(streamer.__path__, "streamer."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    commands = [one.schema for table in TABLES.values() for one in table]
    events = [*messages.EVENTS.values(), *audience_messages.EVENTS.values(), audience_messages.Removed]
    others = [
        messages.SessionRemoved,
        audience_messages.AddressHeld,
        audience_messages.ParticipantRecord,
        CommandOptions,
        messages.Handshake,
        messages.RoomSnapshot,
        messages.EventEntry,
        RecordingSidecar,
        LevelledSound,
        Away,
        Heads,
        Material,
        Manifest,
        LastBackup,
        BackupHolder,
        FrontReport,
        *BUS,
        *get_args(Erasure),
    ]
    roots = [*get_args(RelayMessage), *get_args(MediaEvent), *INSIDE.values(), *commands, *events, *others]
    reached = {kind for root in roots for kind in _structs(inspect.type_info(root), set())}
    ours = {kind for kind in _subclasses(msgspec.Struct) if kind.__module__.startswith("streamer.")}
    assert {kind.__name__ for kind in ours - reached} <= NOT_SENT


def _subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _structs(info: Any, seen: set[type]) -> set[type]:
    """Adds the struct types that values of a type hold."""
    if isinstance(info, inspect.StructType):
        if info.cls in seen:
            return seen
        seen.add(info.cls)
        for field in info.fields:
            _structs(field.type, seen)
    for name in ("item_type", "value_type"):
        if hasattr(info, name):
            _structs(getattr(info, name), seen)
    for name in ("types", "item_types"):
        for one in getattr(info, name, ()):
            _structs(one, seen)
    return seen
