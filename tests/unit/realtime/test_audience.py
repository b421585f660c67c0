"""Audiences and their moderators, end to end: real clients, a real server, a real audience with its database."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from streamer.audience import messages
from streamer.conference.grants import PERMISSIONS, Role
from streamer.conference.sessions import Visibility
from streamer.realtime.service import TABLES
from tests.fakes.attendees import Attendee, RawClient
from tests.fakes.talking import ScriptedDirector, Service, audience_of, served
from tests.fakes.waiting import until

MODERATORS = (Role.MODERATOR, Role.ORGANISER, Role.ADMIN)


@contextlib.asynccontextmanager
async def hall(folder: Path, **audience: Any) -> AsyncIterator[Service]:
    """Room ``a`` with a talk ``s1`` on air and a private ``s2`` after it, and a moderator's token ``mod``."""
    director = ScriptedDirector()
    director.plan("s1", begins_in=-1)
    director.plan("s2", begins_in=60, visibility=Visibility.PRIVATE)
    async with (
        audience_of(director, folder, **audience) as real,
        served(director, audience=real, commands_burst=50, newcomer_s=0) as service,
    ):
        service.access.admit("mod", "moderator", room="a")
        service.access.admit("tech", "technician", room="a")
        studio = await service.connect("/studio", room="a", token="tech")
        assert (await studio.command("session.start", {"id": "s1"}))["ok"]
        await studio.close()
        yield service


async def moderator(service: Service) -> Attendee:
    return await service.connect("/moderation", room="a", token="mod")


async def send(client: Attendee, text: str, **fields: Any) -> Any:
    answer = await client.command("chat.send", {"text": text, **fields})
    assert answer["ok"], answer
    return answer


async def test_what_is_held_is_seen_by_its_author_and_moderators_and_by_nobody_else(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        mod = await moderator(service)
        ada = await service.connect(room="a", name="Ada")
        bob = await service.connect(room="a", name="Bob")
        assert (await mod.command("room.mode", {"chat": "review"}))["ok"]
        await bob.told("room.mode", lambda mode: mode["chat"] == "review")
        held = await send(ada, "a secret word")
        assert held["state"] == "held"
        assert (await ada.told("chat.message"))["data"]["state"] == "held"
        assert (await mod.told("chat.message"))["data"]["id"] == held["id"]
        late = await service.connect(room="a", name="Late")
        back = await service.connect(room="a", participant=ada.snapshots[0]["you"]["key"])
        assert [message["id"] for message in back.snapshots[0]["own"]["chat"]] == [held["id"]]
        assert (await mod.command("room.mode", {"chat": "open"}))["ok"]
        mark = await send(bob, "anybody else?")
        await late.told("chat.message", lambda data: data["id"] == mark["id"])
        await bob.told("chat.message", lambda data: data["id"] == mark["id"])
        assert "a secret word" not in bob.text + late.text
        approved = await mod.command("chat.approve", {"id": held["id"]})
        assert approved["ok"], approved
        assert (await bob.told("chat.message", lambda data: data["id"] == held["id"]))["data"][
            "text"
        ] == "a secret word"
        undone = await mod.command("undo", {"action": approved["action"]})
        assert undone["undone"] == approved["action"]
        await bob.told("chat.deleted", lambda data: data["id"] == held["id"])


async def test_a_deleted_message_is_not_told_to_those_who_come_back(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        mod = await moderator(service)
        ada = await service.connect(room="a", name="Ada")
        bob = await service.connect(room="a", name="Bob")
        since = bob.snapshots[0]["seq"]
        await bob.close()
        said = await send(ada, "what nobody should read")
        kept = await send(ada, "what everybody may")
        assert (await mod.command("chat.delete", {"ids": [said["id"]], "reason": "rude"}))["ok"]
        back = await service.connect(room="a", since=since)
        assert back.snapshots[0]["resumed"]
        assert back.snapshots[0]["audience"] is None
        await back.told("chat.deleted", lambda data: data["id"] == said["id"])
        await back.told("chat.message", lambda data: data["id"] == kept["id"])
        assert "nobody should read" not in back.text
        assert "rude" not in back.text


async def test_coming_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        writers = [await service.connect(room="a", name=f"W{number}") for number in range(10)]
        reader = await service.connect(room="a")
        got: list[str] = []

        async def write(writer: Attendee) -> list[str]:
            return [(await send(writer, f"{writer.io.sid} {number}"))["id"] for number in range(3)]

        writing = asyncio.gather(*(write(writer) for writer in writers))
        for _ in range(8):
            await until(partial(lambda one: len(one.of("chat.message")) >= 2 or writing.done(), reader))
            since = reader.events[-1]["seq"] if reader.events else reader.snapshots[0]["seq"]
            got += [event["data"]["id"] for event in reader.of("chat.message")]
            await reader.close()
            reader = await service.connect(room="a", since=since)
            assert reader.snapshots[0]["resumed"]
        sent = [message for one in await writing for message in one]
        await until(lambda: len(got) + len(reader.of("chat.message")) >= len(sent))
        got += [event["data"]["id"] for event in reader.of("chat.message")]
        assert sorted(got) == sorted(sent)
        assert got == sorted(got)


async def test_questions_from_the_hall_to_the_stage(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        service.access.admit("speaker", "speaker", room="a")
        mod = await moderator(service)
        ada = await service.connect(room="a", name="Ada", place="hall")
        bob = await service.connect(room="a", name="Bob")
        stage = await service.connect(room="a", token="speaker")
        assert stage.snapshots[0]["stage"]["on_stage"] is None
        assert bob.snapshots[0]["stage"] is None
        asked = await ada.command("question.ask", {"text": "Why?", "anonymous": True})
        assert (asked["state"], asked["session"]) == ("approved", "s1")
        shown = await bob.told("question.changed")
        assert (shown["data"]["name"], shown["data"]["participant"]) == (None, None)
        assert (await mod.told("question.changed"))["data"]["name"] == "Ada"
        assert (await bob.command("question.vote", {"id": asked["id"], "value": 1}))["votes"] == 1
        await stage.told("question.changed", lambda data: data["votes"] == 1)
        moved = await mod.command("question.move", {"id": asked["id"], "state": "on_stage"})
        await stage.told("question.changed", lambda data: data["state"] == "on_stage")
        assert (await mod.command("crew.say", {"text": "Five minutes", "to": "stage"}))["ok"]
        assert (await stage.told("cue"))["data"]["text"] == "Five minutes"
        assert (await mod.command("undo", {"action": moved["action"]}))["ok"]
        await bob.told("question.changed", lambda data: data["state"] == "approved" and data["votes"] == 1)
        assert "Five minutes" not in bob.text + ada.text
        poll = await mod.command("poll.open", {"kind": "single", "question": "Lunch?", "options": ["yes", "no"]})
        assert (await ada.command("poll.vote", {"id": poll["id"], "options": [1]}))["ok"]
        await bob.told("poll.changed", lambda data: [one["votes"] for one in data["options"]] == [0, 1])
        again = await service.connect("/audience", room="a", token="speaker")
        assert again.snapshots[0]["stage"]["cue"]["text"] == "Five minutes"
        assert again.snapshots[0]["audience"]["polls"][0]["id"] == poll["id"]


async def _said(client: RawClient, text: str) -> Any:
    """The answer to a chat message, past whatever else comes."""
    await client.socket.send_str(f"42/audience,7{json.dumps(['chat.send', {'text': text}])}")
    while True:
        found = await client.text()
        if found.startswith("43/audience,7"):
            return json.loads(found.removeprefix("43/audience,7"))[0]


async def test_of_three_hundred_behind_one_address_one_is_banned_and_the_others_go_on(tmp_path: Path) -> None:
    phones = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with hall(tmp_path, exempt_networks=("127.0.0.0/8",)) as service, phones as http:
        mod = await moderator(service)
        opened = (RawClient.open(http, service.url, room="a", name=f"N{number}") for number in range(299))
        others = await asyncio.gather(*opened)
        troll = await service.connect(room="a", name="Troll")
        twin = await service.connect(room="a", participant=troll.snapshots[0]["you"]["key"])
        bad = await send(troll, "noise")
        assert (await mod.command("participant.ban", {"id": bad["id"], "remove": True}))["ok"]
        await until(lambda: troll.disconnected.is_set() and twin.disconnected.is_set())
        assert troll.closed[0]["error"]["code"] == "banned"
        assert await service.refused(room="a", participant=troll.snapshots[0]["you"]["key"]) == "banned"
        for number in range(5):
            again = await service.connect(room="a", name=f"New {number}")
            await send(again, f"noise {number}")
            assert (await mod.command("participant.ban", {"id": again.snapshots[0]["you"]["id"]}))["ok"]
            await until(again.disconnected.is_set)
        answers = await asyncio.gather(*(_said(other, f"hello {index}") for index, other in enumerate(others)))
        assert {answer["state"] for answer in answers if answer["ok"]} == {"visible"}
        assert all(answer["ok"] for answer in answers)


async def test_a_banned_one_who_returns_with_a_new_cookie_is_held(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        mod = await moderator(service)
        known = await service.connect(headers={"X-Test-Address": "192.0.2.9"}, room="a", name="Known")
        troll = await service.connect(headers={"X-Test-Address": "192.0.2.7"}, room="a", name="Troll")
        bad = await send(troll, "noise")
        assert (await mod.command("participant.ban", {"id": bad["id"]}))["ok"]
        new = await service.connect(headers={"X-Test-Address": "192.0.2.8"}, room="a", name="Somebody")
        far = await service.connect(headers={"X-Test-Address": "198.51.100.1"}, room="a", name="Far")
        assert (await send(new, "me again"))["state"] == "held"
        assert (await send(known, "I was here before"))["state"] == "visible"
        assert (await send(far, "I come from elsewhere"))["state"] == "visible"
        card = await mod.command("participant.card", {"id": bad["id"]})
        assert card["error"]["code"] == "no_such_participant"
        card = await mod.command("participant.card", {"id": troll.snapshots[0]["you"]["id"]})
        record = msgspec.convert(card["card"], messages.ParticipantRecord)
        assert set(card["card"]) == set(messages.ParticipantRecord.__struct_fields__)
        assert (record.banned, record.names) == (True, ["Troll"])
        assert [one.text for one in record.latest] == [one.text for one in record.written] == ["noise"]
        assert [one.kind for one in record.history] == ["participant.ban"]
        again = await service.connect("/moderation", token="mod", room="a")
        held = [msgspec.convert(one, messages.AddressHeld) for one in again.snapshots[0]["moderation"]["address_holds"]]
        assert [one.participant for one in held] == [record.id]


async def test_a_participant_keeps_their_identity_by_cookie_and_by_key(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        first = (await service.connect(room="a")).snapshots[0]["you"]
        by_key = (await service.connect(room="a", participant=first["key"])).snapshots[0]["you"]
        cookie = {"Cookie": f"streamer_participant={first['key']}"}
        by_cookie = (await service.connect(headers=cookie, room="a")).snapshots[0]["you"]
        forged = (await service.connect(room="a", participant=f"{first['id']}.1.AAAA")).snapshots[0]["you"]
        assert first["id"] == by_key["id"] == by_cookie["id"] != forged["id"]
        assert (by_key["key"], by_cookie["key"]) == (None, None)
        assert forged["key"]


async def test_limits_are_a_participants_by_however_many_connections(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        one = await service.connect(room="a")
        two = await service.connect(room="a", participant=one.snapshots[0]["you"]["key"])
        other = await service.connect(room="a")
        for number in range(3):
            await send(one, f"message {number}")
        fourth = await two.command("chat.send", {"text": "one more"})
        assert fourth["error"]["code"] == "flood"
        assert fourth["error"]["retry_after"] >= 1
        vote = ("question.vote", {"id": "none", "value": 1})
        answers = await asyncio.gather(*(client.command(*vote) for _ in range(50) for client in (one, two)))
        codes = [answer["error"]["code"] for answer in answers]
        assert {"rate_limited", "no_such_question"} == set(codes)
        assert codes.count("no_such_question") < 90
        assert (await other.command(*vote))["error"]["code"] == "no_such_question"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "=cmd|' /C calc'!A0",
        "{{constructor.constructor('x')()}}",
        "</textarea><svg/onload=1>",
    ],
)
async def test_hostile_texts_come_back_as_they_are(tmp_path: Path, text: str) -> None:
    async with hall(tmp_path) as service:
        ada = await service.connect(room="a", name="Ada")
        bob = await service.connect(room="a")
        await send(ada, text)
        assert (await bob.told("chat.message"))["data"]["text"] == text


async def test_half_an_emoji_costs_neither_the_connection_nor_the_rest(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        ada = await service.connect(room="a", name=None, place=None)
        await send(ada, r"cut \ud83d short: \\ud83d 👏" + "\ud83d")
        assert (await ada.told("chat.message"))["data"]["text"] == r"cut \ud83d short: \\ud83d 👏"
        assert (await ada.command("chat.send", {"text": "\udc4f"}))["error"]["code"] == "empty_text"


@pytest.mark.parametrize("claim", [-1, 0, 1.5, -1e30, 2**60, 10**30])
async def test_a_media_time_that_cannot_be_is_none_and_costs_no_message(tmp_path: Path, claim: float) -> None:
    async with hall(tmp_path, usual_delay_ms=5000) as service:
        ada = await service.connect(room="a")
        sent = await send(ada, "hello", media_at=claim)
        at_ms = datetime.fromisoformat(sent["at"]).timestamp() * 1000
        assert abs(at_ms - 5000 - sent["media_at"]) < 2


async def test_a_players_fraction_of_a_millisecond_counts(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        ada = await service.connect(room="a")
        now_ms = int(datetime.fromisoformat((await send(ada, "hello"))["at"]).timestamp() * 1000)
        assert (await send(ada, "again", media_at=now_ms - 60_000.4))["media_at"] == now_ms - 60_000


async def test_a_private_session_has_an_audience_and_moderators_of_its_own(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        service.access.admit("guest", "viewer", session="s2")
        outside = await service.connect(room="a")
        of_room = await moderator(service)
        inside = await service.connect(session="s2", token="guest", name="Eve")
        of_session = await service.connect("/moderation", session="s2", token="mod")
        said = await send(inside, "between us")
        await of_session.told("chat.message", lambda data: data["id"] == said["id"])
        assert (await of_session.command("chat.delete", {"id": said["id"]}))["ok"]
        await inside.told("chat.deleted")
        mark = await send(outside, "in the open")
        await of_room.told("chat.message", lambda data: data["id"] == mark["id"])
        assert "between us" not in of_room.text + outside.text
        elsewhere = await of_room.command("chat.delete", {"id": said["id"]})
        assert elsewhere["error"]["code"] == "no_such_message"
        service.access.admit("neighbour", "moderator", room="b")
        assert await service.refused("/moderation", session="s2", token="neighbour") == "no_such_session"


PAYLOADS: dict[str, Any] = {
    "chat.delete": {"id": "m"},
    "chat.approve": {"id": "m"},
    "participant.mute": {"id": "p", "seconds": 60},
    "participant.ban": {"id": "p"},
    "participant.unban": {"id": "p"},
    "participant.note": {"id": "p", "text": "loud"},
    "participant.card": {"id": "p"},
    "question.add": {"text": "Why?"},
    "question.move": {"id": "q", "state": "approved"},
    "question.edit": {"id": "q", "text": "Why not?"},
    "question.merge": {"ids": ["q", "r"]},
    "question.carry": {},
    "poll.open": {"kind": "single", "question": "Lunch?"},
    "poll.prepare": {"kind": "rating", "question": "How was it?"},
    "poll.start": {"id": "o"},
    "poll.discard": {"id": "o"},
    "poll.close": {"id": "o"},
    "room.mode": {"chat": "open"},
    "notice": {"text": "Hello"},
    "claim": {"id": "m"},
    "report.resolve": {"id": "r"},
    "crew.say": {"text": "Hello"},
    "undo": {"action": "x"},
    "action.list": {},
}


async def test_each_moderators_command_asks_for_role_and_room_each_time(tmp_path: Path) -> None:
    commands = {command.name: command for command in TABLES["/moderation"]}
    assert set(commands) == set(PAYLOADS)
    async with hall(tmp_path) as service:
        for role in Role:
            service.access.admit("now", "admin")
            client = await service.connect("/moderation", room="a", token="now")
            service.access.admit("now", role, room="b")
            for name, command in commands.items():
                answer = await client.command(name, PAYLOADS[name])
                assert command.action is not None
                may = command.action in PERMISSIONS[role]
                assert may == (role in MODERATORS)
                assert answer["error"]["code"] == ("out_of_scope" if may else "forbidden"), (name, role)
            await client.close()
        viewer = await service.connect(room="a")
        for name in commands:
            answer = await viewer.command(name, PAYLOADS[name])
            assert answer["error"]["code"] in ("unknown_command", "rate_limited"), name


async def test_the_log_is_read_further_back_than_a_snapshot_goes(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        mod = await moderator(service)
        for text in ("one", "two"):
            done = await mod.command("notice", {"text": text})
            assert done["ok"]
        newest = (await mod.told("action", lambda data: data["id"] == done["action"]))["data"]
        listed = (await mod.command("action.list", {}))["actions"]
        assert listed[0] == newest
        assert [entry["kind"] for entry in listed] == ["notice", "notice"]
        at_ms = round(datetime.fromisoformat(newest["at"]).timestamp() * 1000)
        assert newest not in (await mod.command("action.list", {"before": at_ms}))["actions"]


async def test_a_technician_hears_of_troubles_and_talks_to_moderators(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        studio = await service.connect("/studio", room="a", token="tech")
        mod = await moderator(service)
        for number in range(3):
            viewer = await service.connect(room="a", name=f"V{number}")
            assert (await viewer.command("trouble.report", {"kind": "no_sound"}))["ok"]
        await studio.told("trouble", lambda data: data["alarm"] and data["people"] == 3)
        assert (await studio.command("crew.say", {"text": "On it"}))["ok"]
        assert (await mod.told("crew.line"))["data"]["text"] == "On it"
        again = await service.connect("/studio", room="a", token="tech")
        assert [line["text"] for line in again.snapshots[0]["lines"]] == ["On it"]
        everywhere = await service.connect("/studio", room="*", token="tech")
        assert [(line["room"], line["text"]) for line in everywhere.snapshots[0]["lines"]] == [("a", "On it")]
        assert "On it" not in viewer.text


async def test_a_technician_takes_back_a_line_of_their_own_and_no_one_elses(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        studio = await service.connect("/studio", room="a", token="tech")
        mod = await moderator(service)
        mine = await studio.command("crew.say", {"text": "Wrong room"})
        theirs = await mod.command("crew.say", {"text": "What?"})
        muted = await mod.command("room.mode", {"chat": "closed"})
        for other in (theirs, muted):
            answer = await studio.command("undo", {"action": other["action"]})
            assert answer["error"]["code"] == "no_such_action"
        answer = await studio.command("undo", {"action": mine["action"]})
        assert answer["ok"]
        assert answer["undone"] == mine["action"]
        for crew in (studio, mod):
            await crew.told("crew.line", lambda data: data["id"] == mine["id"] and data.get("removed") is True)
        again = await service.connect("/studio", room="a", token="tech")
        assert [line["text"] for line in again.snapshots[0]["lines"]] == ["What?"]


async def test_a_large_frame_is_answered_and_a_too_large_one_costs_only_its_sender(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        ada = await service.connect(room="a")
        bob = await service.connect(room="a")
        assert (await ada.command("chat.send", {"text": "x" * 60_000}))["error"]["code"] == "too_long"
        with contextlib.suppress(Exception):
            await ada.command("chat.send", {"text": "x" * 200_000})
        await until(ada.disconnected.is_set)
        assert (await send(bob, "still here"))["state"] == "visible"


async def test_after_a_restart_all_come_back_to_what_was_said(tmp_path: Path) -> None:
    director = ScriptedDirector()
    async with audience_of(director, tmp_path) as real, served(director, audience=real) as service:
        ada = await service.connect(room="a", name="Ada")
        said = await send(ada, "before")
        await ada.told("chat.message")
        you, since = ada.snapshots[0]["you"], ada.events[-1]["seq"]
    async with audience_of(director, tmp_path) as real, served(director, audience=real) as service:
        back = await service.connect(room="a", since=since, participant=you["key"])
        snapshot = back.snapshots[0]
        assert (snapshot["reset"], snapshot["you"]["id"]) == (True, you["id"])
        assert [message["id"] for message in snapshot["audience"]["chat"]] == [said["id"]]
        after = await send(back, "after")
        assert (await back.told("chat.message"))["seq"] > since
        assert after["id"] > said["id"]


async def test_a_rooms_moderator_finds_the_closed_session_that_runs_there_and_moderates_it(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        access = service.access
        access.admit("member", "viewer", session="s2")
        access.admit("other", "moderator", session="s1")
        access.admit("far", "moderator", room="b")
        mod = await moderator(service)
        others = await service.connect(room="a", name="Ada")
        studio = await service.connect("/studio", room="a", token="tech")
        assert (await studio.command("session.start", {"id": "s2"}))["ok"]
        started = await mod.told("session.changed", lambda data: data["id"] == "s2" and data["state"] == "on_air")
        assert started["data"]["key"] == ""
        inside = await service.connect("/moderation", session="s2", token="mod")
        snapshot = inside.snapshots[0]
        assert (snapshot["session"]["id"], snapshot["you"]["role"]) == ("s2", "moderator")
        assert snapshot["moderation"]["session"] == "s2"
        assert snapshot["rooms"]["a"]["broadcast"]["word"] == "on_air"
        member = await service.connect(session="s2", token="member", name="Ben")
        said = await send(member, "between ourselves")
        await inside.told("chat.message", lambda data: data["id"] == said["id"])
        assert (await inside.command("chat.delete", {"id": said["id"]}))["ok"]
        await member.told("chat.deleted", lambda data: data["id"] == said["id"])
        # Moderators of another place or session may not; nor may people who moderate nothing.
        for token, code in (("far", "no_such_session"), ("other", "no_such_session"), ("member", "forbidden")):
            assert await service.refused("/moderation", session="s2", token=token) == code
        assert await service.refused("/moderation", session="s2") == "no_such_session"
        assert "between ourselves" not in mod.text + others.text
        assert ".s2" not in others.text
        # It is over, and can be tidied up after.
        assert (await studio.command("session.end", {}))["ok"]
        again = await service.connect("/moderation", session="s2", token="mod")
        assert [one["id"] for one in again.snapshots[0]["moderation"]["chat"]] == [said["id"]]


async def test_who_comes_back_as_somebody_else_or_banned_is_told_nothing_of_what_was_their_own(tmp_path: Path) -> None:
    async with hall(tmp_path) as service:
        mod = await moderator(service)
        ada = await service.connect(room="a", name="Ada")
        since, key = ada.snapshots[0]["seq"], ada.snapshots[0]["you"]["key"]
        assert (await mod.command("room.mode", {"chat": "review"}))["ok"]
        held = await send(ada, "a word for moderators")
        await ada.told("chat.message", lambda data: data["id"] == held["id"])
        again = await service.connect(room="a", participant=key, since=since)
        assert again.snapshots[0]["resumed"]
        await again.told("chat.message", lambda data: data["id"] == held["id"])
        other = await service.connect(room="a", since=since)
        await other.told("room.mode")
        assert (await mod.command("participant.ban", {"id": held["id"]}))["ok"]
        await until(lambda: ada.disconnected.is_set() and again.disconnected.is_set())
        assert await service.refused(room="a", participant=key, since=since) == "banned"
        late = await service.connect(room="a", since=since)
        assert late.snapshots[0]["resumed"]
        assert (await mod.command("notice", {"text": "that was all"}))["ok"]
        for viewer in (other, late):
            await viewer.told("notice")
            assert "a word for moderators" not in viewer.text
