"""An audience that talks while its server loses what it needs."""

from __future__ import annotations

from typing import Self

from tests.fakes.crowd import Crowd
from tests.fakes.waiting import until

MEMBERS = 24
"""All at one of two processes once in eight million runs."""
REFUSALS = ("unavailable", "store_unavailable", "timeout")
"""Something is away."""


class Conversation:
    """``accepted``: numbers of the messages that were acknowledged."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.accepted: list[int] = []
        self._number = 0

    @classmethod
    async def begin(cls, url: str, room: str) -> Self:
        crowd = Crowd(url)
        await crowd.come([{"room": room, "name": f"N{number}"} for number in range(MEMBERS)])
        return cls(crowd)

    async def said(self) -> bool:
        """Whether the next member's message is accepted. Raises AssertionError if it is refused for another reason than
        that something is away."""
        self._number += 1
        number = self._number
        answer = await self.crowd.members[number % MEMBERS].say(number)
        if answer["ok"]:
            self.accepted.append(number)
        else:
            assert answer["error"]["code"] in REFUSALS, answer
        return bool(answer["ok"])

    async def end(self) -> None:
        """Each member has all that was accepted, once and in one order, and has kept its socket. Raises
        AssertionError."""
        crowd = self.crowd
        await until(lambda: not crowd.missing(self.accepted))
        await until(lambda: crowd.orders() == 1)
        assert crowd.doubled() == 0
        assert not any(member.over.is_set() or member.disordered for member in crowd.members)
        await crowd.leave()
