"""Two thousand connections that ask for nothing, under 512 descriptors; and a hall of 300 phones behind one address."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest

from tests.fakes.crowd import Crowd
from tests.fakes.idle_crowd import idle_crowd, many_descriptors, small_server
from tests.fakes.publishing import tiny_camera
from tests.fakes.shared import SMALL, Servers

pytestmark = pytest.mark.slow


async def test_an_idle_crowd_stops_neither_the_crew_nor_a_viewer_nor_a_recording() -> None:
    async with small_server() as server:
        await idle_crowd(server, people=2000, rounds=1)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_hall_of_300_phones_behind_one_address_watches_chats_and_votes(servers: Servers) -> None:
    phones, rounds = 300, 1
    with many_descriptors():
        # By the time of a vote they have been there for longer than newcomers.
        async with servers.lent(SMALL) as server:
            await server.room("phones", start="auto")
            async with tiny_camera(server, "phones"):
                await server.wait_state("phones", "live")
                talk = Crowd(server.url)
                await talk.come([{"room": "phones", "name": f"P{number}"} for number in range(phones)])
                async with server.session.get(f"{server.url}/live/phones/index.m3u8") as response:
                    names = re.findall(r"[\w/-]+\.m3u8", await response.text())
                playlists = [f"{server.url}/live/phones/{name}" for name in names[:3]]

                async def watch() -> list[int]:
                    """As a player does: each rendition by a connection of its own, held until the next part is."""
                    statuses = []
                    async with aiohttp.ClientSession() as session:
                        for _ in range(rounds):

                            async def ask(url: str) -> int:
                                async with session.get(url) as response:
                                    edge = max(map(int, re.findall(r"/(\d+)\.m4s", await response.text())))
                                async with session.get(f"{url}?_HLS_msn={edge + 1}") as response:
                                    await response.read()
                                    return response.status

                            statuses += await asyncio.gather(*(ask(url) for url in playlists))
                    return statuses

                first = talk.members[0]
                asked = await first.ask("question.ask", {"text": "Does everybody get through?"})
                assert asked["ok"], asked
                question = asked["question"]["id"] if "question" in asked else asked["id"]
                votes = []
                for begin in range(0, phones, 50):
                    voters = talk.members[max(1, begin) : begin + 50]
                    votes += await asyncio.gather(
                        *(member.ask("question.vote", {"id": question, "value": 1}) for member in voters)
                    )
                assert len(votes) == phones - 1
                assert [vote for vote in votes if not vote["ok"]] == []
                said = await asyncio.gather(*(member.say(number) for number, member in enumerate(talk.members[::10])))
                assert [answer for answer in said if not answer["ok"]] == []
                # While they watch, each page keeps its connection.
                watched = await asyncio.gather(*(watch() for _ in range(phones)))
                answers = [status for statuses in watched for status in statuses]
                assert set(answers) == {200}
                assert len(answers) == phones * rounds * len(playlists)
                assert all(member.up.is_set() for member in talk.members)
                await talk.leave()
