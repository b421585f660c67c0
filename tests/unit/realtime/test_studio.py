"""The technician's taps: what each needs, what it answers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamer.conference.alarms import Alarm
from streamer.conference.grants import PERMISSIONS, Role
from streamer.conference.sessions import SessionState
from streamer.director.kinds import PERMISSIONS as TAP_PERMISSIONS
from streamer.realtime.studio import STUDIO_COMMANDS
from tests.fakes.talking import Service, served

ALARM = Alarm("not_started:a:s1", "not_started", "alarm", 1_700_000_000_000, "technician")
PAYLOADS: dict[str, Any] = {
    "session.start": {"id": "s1"},
    "session.end": {},
    "session.extend": {"minutes": 5},
    "air.slate": {"on": True},
    "air.take": {"source": "spare"},
    "air.gain": {"db": -3.5},
    "alarm.acknowledge": {"id": ALARM.id},
    "alarm.snooze": {"id": ALARM.id, "minutes": 5},
    "alarm.normal": {"id": ALARM.id},
    "source.report": {
        "inputs": [{"name": "microphone", "level_db": -20.5, "voice": True, "device": "Lapel"}],
        "battery": 0.5,
        "sent_kbps": 2500,
    },
    "undo": {"action": "action-1"},
}


async def _running(service: Service) -> None:
    """``s1`` is on air, and that it was started can be undone."""
    service.director.plan("s1", begins_in=1)
    service.director.ring("a", ALARM)
    service.access.admit("root", "admin")
    studio = await service.connect("/studio", room="a", token="root")
    assert (await studio.command("session.start", {"id": "s1"}))["action"] == "action-1"
    await studio.close()


async def test_each_command_is_for_whom_the_table_says() -> None:
    """Role and scope can change while somebody is connected: they are looked up at each command."""
    commands = {command.name: command for command in STUDIO_COMMANDS if command.name != "crew.say"}
    assert set(commands) == set(PAYLOADS)
    for name, command in commands.items():
        assert TAP_PERMISSIONS.get(name, command.action) == command.action, name
        async with served() as service:
            await _running(service)
            for role in Role:
                token = service.access.admit(f"now-{role}", "admin")
                studio = await service.connect("/studio", room="a", token=token)
                service.access.admit(token, role, room="b")
                answer = await studio.command(name, PAYLOADS[name])
                assert answer["ok"] is False
                may = command.action in PERMISSIONS[role]
                assert answer["error"]["code"] == ("out_of_scope" if may else "forbidden"), (name, role)
                await studio.close()
            for role in (Role.TECHNICIAN, Role.ORGANISER, Role.ADMIN):
                assert command.action in PERMISSIONS[role]
            token = service.access.admit("of-this-room", "technician", room="a")
            studio = await service.connect("/studio", room="a", token=token)
            answer = await studio.command(name, PAYLOADS[name])
            assert answer["ok"], (name, answer)


async def test_a_moderator_with_the_crews_rights_cannot_undo_a_tap() -> None:
    async with served() as service:
        await _running(service)
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        service.access.admit("anna", "moderator", room="a")
        answer = await studio.command("undo", {"action": "action-1"})
        assert answer["error"]["code"] == "forbidden"


async def test_start_extend_end_and_undo_by_room() -> None:
    async with served() as service:
        director = service.director
        director.plan("s1", begins_in=2)
        director.plan("s2", begins_in=50)
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        started = await studio.command("session.start")
        assert started["session"]["id"] == "s1"
        assert started["session"]["state"] == "on_air"
        again = await studio.command("session.start")
        assert (again["ok"], again["action"], again["session"]["id"]) == (True, None, "s1")
        extended = await studio.command("session.extend", {"minutes": 10})
        assert extended["action"] is not None
        undone = await studio.command("undo", {"action": extended["action"]})
        assert (undone["undone"], undone["sessions"][0]["id"]) == (extended["action"], "s1")
        at_ms = time.time_ns() // 1_000_000
        ended = await studio.command("session.end", {"at": at_ms})
        assert ended["session"]["state"] == "ended"
        assert director.find("s1").ended_ms == at_ms  # type: ignore[union-attr]
        same = await studio.command("session.end")
        assert (same["ok"], same["action"], same["session"]["id"]) == (True, None, "s1")
        refused = await studio.command("session.extend", {"minutes": 5})
        assert refused["error"]["code"] == "nothing_on_air"
        assert {actor.id for actor in director.actors} == {"anna"}


async def test_a_tap_of_a_moment_ago_is_not_taken_for_the_next_session() -> None:
    async with served() as service:
        service.director.plan("s1", begins_in=1)
        service.director.plan("s2", begins_in=5)
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        await studio.command("session.start")
        assert service.director.find("s2").state is SessionState.ARMED  # type: ignore[union-attr]
        assert (await studio.command("session.start"))["session"]["id"] == "s1"


async def test_air_and_alarms_answer_with_what_is_now_and_everybody_in_the_studio_is_told() -> None:
    async with served() as service:
        await _running(service)
        service.access.admit("anna", "technician", room="a")
        service.access.admit("bob", "organiser")
        anna = await service.connect("/studio", room="a", token="anna")
        bob = await service.connect("/studio", room="*", token="bob")
        assert anna.snapshots[0]["rooms"]["a"]["alarms"][0]["id"] == ALARM.id
        assert anna.snapshots[0]["rooms"]["a"]["sessions"][0]["id"] == "s1"
        answer = await anna.command("air.slate", {"on": True})
        assert answer["air"] == {"room": "a", "slate": True, "source": None, "gain_db": 0.0, "sources": {}}
        await anna.command("air.gain", {"db": -6})
        taken = await anna.command("air.take", {"source": "camera-2"})
        assert taken["air"]["gain_db"] == 0.0
        answer = await anna.command("air.take", {"source": None})
        told = {"main": {"gain_db": -6.0, "mute": False, "mono": False, "kind": None}}
        assert answer["air"] == {"room": "a", "slate": True, "source": None, "gain_db": -6.0, "sources": told}
        await anna.command("alarm.acknowledge", {"id": ALARM.id})
        for client in (anna, bob):
            await client.told("air.changed", lambda data: data["slate"])
            taken = await client.told("alarm", lambda data: data["acknowledged"] == "Anna")
            assert (taken["data"]["kind"], taken["data"]["taken_by"]) == ("not_started", "Anna")
            assert taken["data"]["words"]["fr"]["remedy"] == "Démarrez-la, décalez-la ou annulez-la."
            assert taken["data"]["cause"] == taken["data"]["words"]["en"]["cause"]
        await anna.command("alarm.snooze", {"id": ALARM.id, "minutes": 5})
        await bob.told("alarm", lambda data: data["severity"] == "warning" and data["snoozed_until"] is not None)
        await anna.command("alarm.normal", {"id": ALARM.id})
        gone = await bob.told("alarm", lambda data: not data["ringing"])
        assert gone["data"]["id"] == ALARM.id
        unknown = await anna.command("alarm.acknowledge", {"id": ALARM.id})
        assert unknown["error"]["code"] == "no_such_alarm"


async def test_connected_to_all_rooms_each_command_names_its_room() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        anna = await service.connect("/studio", room="*", token="anna")
        assert (await anna.command("air.slate", {"on": True}))["error"]["code"] == "invalid"
        assert (await anna.command("air.slate", {"on": True, "room": "a"}))["ok"]
        assert (await anna.command("air.slate", {"on": True, "room": "b"}))["error"]["code"] == "out_of_scope"
        assert (await anna.command("air.slate", {"on": True, "room": "c"}))["error"]["code"] == "no_such_room"
        in_a = await service.connect("/studio", room="a", token="anna")
        assert (await in_a.command("air.slate", {"on": False, "room": "a"}))["ok"]
        assert (await in_a.command("air.slate", {"on": False, "room": "b"}))["error"]["code"] == "invalid"


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("session.start", {"id": ""}),
        ("session.start", {"at": "yesterday"}),
        ("session.start", {"at": "2026-01-01T10:00:00"}),
        ("session.start", {"at": -1}),
        ("session.start", {"at": 2**60}),
        ("session.extend", {}),
        ("session.extend", {"minutes": 0}),
        ("session.extend", {"minutes": "5"}),
        ("session.extend", {"minutes": 5, "hours": 1}),
        ("air.slate", {"on": 1}),
        ("air.slate", []),
        ("air.slate", "on"),
        ("air.take", {"source": "../main"}),
        ("air.gain", {"db": 21}),
        ("air.gain", {"db": None}),
        ("undo", {"action": 5}),
    ],
)
async def test_what_does_not_fit_its_schema_is_refused(name: str, payload: Any) -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        answer = await studio.command(name, payload)
        assert answer["ok"] is False
        assert answer["error"]["code"] == "invalid"


async def test_unknown_commands_and_too_many_are_answered() -> None:
    async with served(commands_burst=3, commands_per_s=0.1) as service:
        client = await service.connect(room="a")
        began = time.monotonic()
        for name in ("air.slate", "chat.nothing", "connect"):
            answer = await client.command(name, {"on": True})
            assert (answer["ok"], answer["error"]["code"]) == (False, "unknown_command")
        error = (await client.command("chat.nothing"))["error"]
        assert error["code"] == "rate_limited"
        assert 10 - (time.monotonic() - began) <= error["retry_after"] <= 10


async def test_a_command_that_takes_too_long_is_answered_and_still_done() -> None:
    async with served(command_s=0.1) as service:
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        service.director.delay_s = 0.3
        answer = await studio.command("air.slate", {"on": True})
        assert answer["error"]["code"] == "timeout"
        await studio.told("air.changed", lambda data: data["slate"])


async def test_one_clients_commands_are_done_in_their_order() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="anna")
        service.director.delay_s = 0.02
        answers = await asyncio.gather(*(studio.command("air.gain", {"db": -number}) for number in range(10)))
        assert [answer["air"]["gain_db"] for answer in answers] == [float(-number) for number in range(10)]
