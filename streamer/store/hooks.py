"""Ways to reach people of the crew (hooks), and the messages that are sent by them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from streamer.conference.duty import person_of
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import hook_messages, hooks
from streamer.store.writing import add_rows


class HookKind(StrEnum):
    PUSH = "push"
    """Web Push to a browser or an installed page."""
    WEBHOOK = "webhook"
    """A POST in the form of Standard Webhooks."""
    NTFY = "ntfy"
    """A topic of an ntfy server."""
    MAIL = "mail"
    APPRISE = "apprise"
    """The operator's own, from the settings file; not stored."""


@dataclass(frozen=True, slots=True)
class Hook:
    """``address``: an HTTP address, or one for mail. ``grant`` None: the admin's."""

    id: str
    grant: str | None
    kind: HookKind
    label: str
    address: str
    language: str
    created_ms: int
    secret: str = ""
    """It signs (webhook), opens (ntfy) or encrypts (push, JSON). Told once, and in no log."""
    always: bool = False
    """It hears of every alarm, whoever is on duty."""
    sent_ms: int | None = None
    """The time of the last message that arrived."""
    failed_ms: int | None = None
    """Since then no message has arrived."""
    error: str = ""
    """The reason, in words."""

    @property
    def person(self) -> str:
        return person_of(self.grant)


@dataclass(frozen=True, slots=True)
class HookMessage:
    """``kind``: ``began``, ``ended``, ``offered``, ``test``. ``due_ms`` None: it is not tried any more. ``facts`` are a
    JSON object without secrets."""

    id: str
    hook: str
    kind: str
    alarm: str
    facts: Mapping[str, Any]
    created_ms: int
    due_ms: int | None
    attempts: int = 0
    sent_ms: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The state of a message after an attempt, and of its hook."""

    message: HookMessage
    gone: bool = False
    """The other side knows the hook no more: it is removed."""
    at_ms: int = field(default=0)


_HOOKS = RowMapping(Hook, hooks)
_MESSAGES = RowMapping(HookMessage, hook_messages)


class Hooks(Repository):
    """One transaction's view of the hooks."""

    async def get(self, hook_id: str) -> Hook:
        """Raises NotFound."""
        found = await self._first(_HOOKS, select(hooks).where(hooks.c.id == hook_id))
        return there(found, "There is no such way to be reached.", code="no_such_hook")

    async def all(self) -> list[Hook]:
        query = select(hooks).order_by(hooks.c.created_ms, hooks.c.id)
        return await self._all(_HOOKS, query)

    async def page(self, grant: str | None, limit: int, after: str | None) -> Page[Hook]:
        """One person's, oldest first."""
        query = select(hooks).where(hooks.c.grant_id == grant)
        return await self._page(_HOOKS, query, limit, after, hooks.c.created_ms, hooks.c.id)

    async def of_address(self, grant: str | None, address: str) -> Hook | None:
        query = select(hooks).where(hooks.c.grant_id == grant, hooks.c.address == address)
        return await self._first(_HOOKS, query)

    async def counts(self, grant: str | None) -> tuple[int, int]:
        """(one person's, all)."""
        own = select(func.count()).where(hooks.c.grant_id == grant)
        whole = select(func.count()).select_from(hooks)
        return (await self._connection.scalar(own) or 0, await self._connection.scalar(whole) or 0)

    async def add(self, hook: Hook) -> None:
        """Raises Unprocessable ``unknown_reference`` if its grant was revoked."""
        rows = (_HOOKS.values(hook),)
        await add_rows(self._connection, hooks, rows, taken="It exists.", unknown="The grant has been revoked.")

    async def set_operators(self, wanted: Sequence[Hook]) -> None:
        """Store the hooks of Apprise that are new in the settings, and remove those that are not in them any more."""
        c = hooks.c
        apprise = c.kind == HookKind.APPRISE
        await self._connection.execute(delete(hooks).where(apprise, c.id.not_in([hook.id for hook in wanted])))
        there = set((await self._connection.execute(select(c.id).where(apprise))).scalars())
        if new := [_HOOKS.values(hook) for hook in wanted if hook.id not in there]:
            await self._connection.execute(insert(hooks), new)

    async def save(self, hook: Hook) -> None:
        await self._connection.execute(update(hooks).where(hooks.c.id == hook.id).values(_HOOKS.values(hook)))

    async def remove(self, hook_id: str) -> None:
        """Its messages go with it."""
        await self._connection.execute(delete(hooks).where(hooks.c.id == hook_id))


class HookMessages(Repository):
    """One transaction's view of the messages."""

    async def waiting(self) -> list[HookMessage]:
        query = select(hook_messages).where(hook_messages.c.due_ms.is_not(None)).order_by(hook_messages.c.created_ms)
        return await self._all(_MESSAGES, query)

    async def page(self, hook: str, limit: int, after: str | None) -> Page[HookMessage]:
        """A hook's, newest first."""
        c = hook_messages.c
        query = select(hook_messages).where(c.hook_id == hook)
        return await self._page(_MESSAGES, query, limit, after, c.created_ms, c.id, descending=True)

    async def said(self, alarms: Sequence[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
        """Alarm -> hook -> what it was told last of the alarm's beginning."""
        c = hook_messages.c
        query = select(hook_messages).where(c.kind == "began", c.alarm.in_(alarms)).order_by(c.created_ms, c.id)
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for row in await self._connection.execute(query):
            message = _MESSAGES.item(row)
            found.setdefault(message.alarm, {})[message.hook] = message.facts
        return found

    async def put(self, messages: Collection[HookMessage]) -> None:
        """New ones, and the state of those that are there. Of hooks that were removed meanwhile none is added."""
        if not messages:
            return
        there = set((await self._connection.execute(select(hooks.c.id))).scalars())
        c = hook_messages.c
        known = select(c.id).where(c.id.in_([message.id for message in messages]))
        stored = set((await self._connection.execute(known)).scalars())
        new = [_MESSAGES.values(one) for one in messages if one.hook in there and one.id not in stored]
        if new:
            await self._connection.execute(insert(hook_messages), new)
        await self.settle([message for message in messages if message.id in stored])

    async def settle(self, messages: Sequence[HookMessage]) -> None:
        """The state of those that are there."""
        for message in messages:
            values = _MESSAGES.values(message)
            await self._connection.execute(update(hook_messages).where(hook_messages.c.id == message.id).values(values))

    async def note(self, attempt: Attempt) -> None:
        """The result of an attempt, in the log and at the hook."""
        message = attempt.message
        await self.settle([message])
        which = hooks.c.id == message.hook
        if attempt.gone:
            await self._connection.execute(delete(hooks).where(which))
        elif message.sent_ms is not None:
            now = {"sent_ms": message.sent_ms, "failed_ms": None, "error": ""}
            await self._connection.execute(update(hooks).where(which).values(now))
        elif message.error and message.error != "over":
            since = func.coalesce(hooks.c.failed_ms, attempt.at_ms)
            await self._connection.execute(update(hooks).where(which).values(failed_ms=since, error=message.error))
