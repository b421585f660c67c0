"""Commands: one table for each namespace, and the checks before a command runs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from streamer.audience.command import Budget, C, ClientMessage, CommandDefinition, Ident
from streamer.audience.names import NameSet
from streamer.audience.people import Crew
from streamer.audience.scope import Scope
from streamer.audience.service import Audience
from streamer.buckets import Buckets
from streamer.conference.grants import Action, Grant, Role, Target
from streamer.director.director import Director
from streamer.director.news import Actor
from streamer.errors import NotFound, StreamerError, TooMany, Unprocessable
from streamer.household import household
from streamer.realtime import rights
from streamer.realtime.access import AccessPolicy, Clock, Views
from streamer.realtime.hub import AUDIENCE, Client
from streamer.realtime.messages import EVERY_ROOM
from streamer.realtime.stats import Stats
from streamer.settings import RealtimeSettings
from streamer.store.answers import MOST_ID, CommandId, Once

log = structlog.get_logger(__name__)

MOST_AT_WORK = 500
"""The most commands at a time, in all."""


class CommandOptions(ClientMessage, frozen=True):
    """The second argument of a command. ``id``: made by the client; a repeat with it gets the first answer."""

    id: Annotated[str, Meta(min_length=1, max_length=MOST_ID)] | None = None


@dataclass(slots=True)
class CommandContext:
    """A command's sender and the services for its handler. The sender's role has been checked."""

    client: Client
    action: Action | None
    grant: Grant | None
    room: str
    """The room of the command."""
    director: Director
    views: Views
    audience: Audience
    now_ms: int
    name: str
    said: Any
    """The payload as it came."""
    asked: CommandId | None = None
    """The id of the command, if it has one."""

    def once(self, scope: Scope) -> Once | None:
        """The command with its id, if it has one. ``scope``: of the audience that it is for."""
        return None if self.asked is None else self.asked.once(scope.key, self.name, self.said)

    def require(self, target: Target, action: Action | None = None) -> Actor:
        """Check role and scope, for the command's own action if no other is given. Raises Unauthorized or Forbidden."""
        wanted = action or self.action
        assert wanted is not None
        grant = rights.require(self.grant, wanted, target)
        return Actor(grant.id, grant.label)


class RoomCommand(ClientMessage, frozen=True):
    """A command of a client that may be connected to all rooms."""

    room: Ident | None = None


@dataclass(frozen=True)
class StudioCommand(CommandDefinition[C]):
    """``handler`` calls ``CommandContext.require`` with its target, and runs the command."""

    handler: Callable[[CommandContext, C], Awaitable[dict[str, Any]]]


async def ask(context: CommandContext, command: ClientMessage, scope: Scope | None = None) -> dict[str, Any]:
    """Run a command of the audience, in the client's own scope if no other is given."""
    client, scope = context.client, scope or context.client.scope
    if context.action is not None:
        actor = context.require(rights.scope_target(context.director, scope))
        assert context.grant is not None
        crew = Crew(actor.id, actor.label, context.grant.role)
        return await context.audience.run(scope, crew, command, context.once(scope))
    answer = await context.audience.run(scope, client.participant, command, context.once(scope))
    if isinstance(command, NameSet):
        client.name, client.place = answer["name"], answer["place"]
    return answer


class Commands:
    """Checks and runs commands. ``tables``: namespace -> its commands."""

    def __init__(
        self,
        tables: Mapping[str, Sequence[CommandDefinition[Any]]],
        *,
        director: Director,
        access: AccessPolicy,
        views: Views,
        audience: Audience,
        settings: RealtimeSettings,
        stats: Stats,
        clock: Clock,
    ) -> None:
        self._tables = {space: {command.name: command for command in commands} for space, commands in tables.items()}
        self._director = director
        self._access = access
        self._views = views
        self._audience = audience
        self._settings = settings
        self._stats = stats
        self._clock = clock
        self._at_work: set[asyncio.Task[Any]] = set()
        self._limits = {
            (space, command.name): Buckets(command.burst, command.per_s)
            for space, commands in tables.items()
            for command in commands
            if command.burst is not None
        }
        self._addresses = Buckets(settings.address_commands_burst, settings.address_commands_per_s)
        burst, per_s = settings.newcomers_burst, settings.newcomers_per_s
        self._newcomers: dict[Budget, Buckets] = {
            "words": Buckets(burst, per_s),
            # All phones of a hall vote within a second of each other, just after the code for joining was shown. A vote
            # costs little and nobody must read it; the rate limits people who vote many times.
            "votes": Buckets(settings.newcomers_votes_burst, 2 * per_s),
            "names": Buckets(burst, per_s),
        }

    async def answer(self, client: Client, name: str, arguments: list[Any]) -> dict[str, Any]:
        """The acknowledgement of a command. Raises nothing except cancellation."""
        self._stats.commands_total += 1
        try:
            return {"ok": True, **await self._done(client, name, arguments)}
        except StreamerError as error:
            self._stats.commands_refused_total += 1
            body = error.body()["error"]
            if "Retry-After" in error.headers:
                body["retry_after"] = int(error.headers["Retry-After"])
            return {"ok": False, "error": body}
        except Exception:
            log.exception("command_failed", command=name, namespace=client.namespace)
            return {"ok": False, "error": StreamerError("Something went wrong on our side.").body()["error"]}

    async def close(self) -> None:
        """Wait for the running commands."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=self._settings.command_s)

    async def _done(self, client: Client, name: str, arguments: list[Any]) -> dict[str, Any]:
        _check(client.bucket.take())
        if client.namespace == AUDIENCE:
            # Counted after the participant's own limit, because a hall is one address.
            _check(self._addresses.take(household(client.address)))
        command = self._tables.get(client.namespace, {}).get(name)
        if command is None:
            raise NotFound("There is no such command.", code="unknown_command")
        limit = self._limits.get((client.namespace, name))
        if limit is not None:
            _check(limit.take(client.member))
        payload, options = _checked(command, arguments)
        if command.budget is not None and self._is_new(client):
            # An identity costs nothing: limits of each participant do not stop a person who takes a new one each time.
            _check(
                self._newcomers[command.budget].take(household(client.address)), "Too many new participants at once."
            )
        if len(self._at_work) >= MOST_AT_WORK:
            raise TooMany("Too many commands at once.", code="rate_limited", headers={"Retry-After": "1"})
        # A client that hangs up does not stop it: a half-done change in the database would have no effect.
        said = arguments[0] if arguments else None
        task = asyncio.create_task(self._work(client, command, payload, said, options.id), name=f"command {name}")
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        done, _ = await asyncio.wait({task}, timeout=self._settings.command_s)
        if not done:
            task.add_done_callback(_forget_error)
            raise StreamerError("The command takes too long; it may still take effect.", code="timeout", status=504)
        return task.result()

    def _is_new(self, client: Client) -> bool:
        """Whether the participant is new, and neither of the crew nor a speaker."""
        age_ms = self._clock() - client.since_ms
        return client.role in (None, Role.VIEWER) and age_ms < self._settings.newcomer_s * 1000

    async def _work(
        self, client: Client, command: CommandDefinition[Any], payload: ClientMessage, said: Any, asked: str | None
    ) -> dict[str, Any]:
        grant = None
        if client.caller is not None:
            # The grant as it is now: grants end, move with their sessions and are revoked.
            renewed = client.caller if command.action is None else await self._access.renew(client.caller)
            if renewed is None:
                # The check of the connection decides whether it stays.
                client.renewed_at = 0.0
            else:
                client.caller, grant = renewed, renewed.grant
        if command.action is not None:
            rights.require(grant, command.action)
        payload.check()
        context = CommandContext(
            client,
            command.action,
            grant,
            client.room,
            self._director,
            self._views,
            self._audience,
            self._clock(),
            command.name,
            said,
        )
        if asked is not None:
            caller = client.member if command.action is None or grant is None else grant.id
            context.asked = CommandId(caller, asked)
        if isinstance(payload, RoomCommand):
            context.room = self._room(client, payload)
        if isinstance(command, StudioCommand):
            return await command.handler(context, payload)
        return await ask(context, payload)

    def _room(self, client: Client, payload: RoomCommand) -> str:
        if client.channel == EVERY_ROOM:
            if payload.room is None:
                raise Unprocessable("Name the room.", code="invalid", details={"field": "room"})
            room = payload.room
        else:
            room = client.room
            if payload.room not in (None, room):
                raise Unprocessable("The connection is for another room.", code="invalid", details={"field": "room"})
        if room not in self._director.rooms:
            raise rights.no_such_room()
        return room


def _check(wait_s: float, message: str = "Too many commands.") -> None:
    if wait_s > 0:
        raise TooMany(message, code="rate_limited", headers={"Retry-After": str(max(1, math.ceil(wait_s)))})


def _checked(command: CommandDefinition[Any], arguments: list[Any]) -> tuple[ClientMessage, CommandOptions]:
    if len(arguments) > 2:
        raise Unprocessable("A command has a payload and options.", code="invalid")
    payload, options = (one if one is not None else {} for one in (*arguments, None, None)[:2])
    try:
        return msgspec.convert(payload, command.schema), msgspec.convert(options, CommandOptions)
    except msgspec.ValidationError as error:
        raise Unprocessable(str(error), code="invalid") from error


def _forget_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.warning("late_command_failed", error=repr(task.exception()))
