"""A command that is sent again with its id: once done, it is not done again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from streamer.audience.chat import ChatDelete, ChatSend
from streamer.audience.command import ClientMessage
from streamer.audience.modes import ModeSet
from streamer.audience.names import NameSet
from streamer.audience.people import Who
from streamer.audience.sanctions import Mute
from streamer.conference.participation import ChatMode
from streamer.errors import StreamerError
from streamer.store.answers import CommandAnswers, CommandId, Once
from streamer.store.audience_tables import command_answers
from streamer.store.database import StoreUnavailable
from tests.fakes.talkers import ANN, BEN, HALL, MODERATOR, Hall, hall
from tests.fakes.waiting import until


def once(who: Who, command_id: str, *said: Any) -> Once:
    return CommandId(who.id, command_id).once(*said)


async def say(made: Hall, text: str, command_id: str, who: Who = ANN) -> dict[str, Any]:
    return await made.audience.run(HALL, who, ChatSend(text), once(who, command_id, text))


async def texts(made: Hall) -> list[str]:
    return [message["text"] for message in (await made.public())["chat"]]


async def code(made: Hall, who: Who, command: ClientMessage, asked: Once) -> str:
    with pytest.raises(StreamerError) as caught:
        await made.audience.run(HALL, who, command, asked)
    return caught.value.code


async def kept(made: Hall) -> int:
    async with made.database.read() as connection:
        return len((await connection.execute(select(command_answers))).all())


async def test_a_repeat_gets_the_first_answer_and_one_message_is_there(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        first = await say(made, "Hello", "c1")
        made.clock.pass_s(40)
        assert await say(made, "Hello", "c1") == first
        at_once = await asyncio.gather(*(say(made, "Again", "c2") for _ in range(3)))
        assert at_once[1:] == at_once[:2]
        assert await texts(made) == ["Hello", "Again"]


async def test_another_process_over_the_same_database_knows_it(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        first = await say(made, "Hello", "c1")
    async with hall(tmp_path) as made:
        assert await say(made, "Hello", "c1") == first
        assert await texts(made) == ["Hello"]


async def test_new_commands_cost_no_look_into_the_database(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await say(made, "Hello", "c1")
    async with hall(tmp_path) as made:
        answers = made.audience._answers
        await made.audience.tick()
        await until(lambda: answers.complete)
        await say(made, "Welcome back", "c2")
        assert answers.lookups == 0
        await say(made, "Hello", "c1")
        assert answers.lookups == 1


async def test_an_id_is_that_of_one_command_of_one_caller(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        first = await say(made, "Hello", "c1")
        assert await code(made, ANN, ChatSend("Bye"), once(ANN, "c1", "Bye")) == "id_reused"
        assert (await say(made, "Hello", "c1", BEN))["id"] != first["id"]
        assert await texts(made) == ["Hello", "Hello"]


async def test_what_was_refused_or_not_stored_is_decided_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with hall(tmp_path) as made:
        await made.do(MODERATOR, ModeSet(chat=ChatMode.CLOSED))
        assert await code(made, ANN, ChatSend("Hello"), once(ANN, "c1", "Hello")) == "chat_closed"
        await made.do(MODERATOR, ModeSet(chat=ChatMode.OPEN))
        assert await kept(made) == 0

        async def full(*_: Any) -> None:
            raise StoreUnavailable("The disk is full.")

        with monkeypatch.context() as patched:
            patched.setattr(CommandAnswers, "put_many", full)
            assert await code(made, ANN, ChatSend("Hello"), once(ANN, "c1", "Hello")) == "store_unavailable"
        made.clock.pass_s(40)
        assert (await say(made, "Hello", "c1"))["state"] == "visible"
        assert await texts(made) == ["Hello"]


async def test_a_moderators_repeat_names_the_action_that_can_be_undone(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        sent = await say(made, "Hello", "c1")
        delete, asked = ChatDelete(sent["id"]), once(MODERATOR, "d1", "delete")
        first = await made.audience.run(HALL, MODERATOR, delete, asked)
        assert first["action"] is not None
        assert await made.audience.run(HALL, MODERATOR, delete, asked) == first
        # A command that changed nothing changes nothing later.
        shut, same = ModeSet(chat=ChatMode.OPEN), once(MODERATOR, "m1", "open")
        assert (await made.audience.run(HALL, MODERATOR, shut, same))["action"] is None
        await made.do(MODERATOR, ModeSet(chat=ChatMode.CLOSED))
        assert (await made.audience.run(HALL, MODERATOR, shut, same))["action"] is None
        assert (await made.public())["mode"]["chat"] == "closed"


async def test_who_deletes_their_data_leaves_no_answers_of_theirs_or_about_them(tmp_path: Path) -> None:
    async with hall(tmp_path) as made:
        await say(made, "Hello", "c1")
        await made.audience.run(HALL, ANN, NameSet("Ada"), once(ANN, "n1", "Ada"))
        await made.audience.run(HALL, MODERATOR, Mute(ANN.id, 60), once(MODERATOR, "m1", ANN.id))
        await say(made, "Hi", "c1", BEN)
        exported = await made.audience.export(ANN.id)
        assert [row["id"] for row in exported["command_answers"]] == ["c1", "n1"]
        assert await kept(made) == 4
        await made.audience.erase(ANN.id)
        assert await kept(made) == 1
