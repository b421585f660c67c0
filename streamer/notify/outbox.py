"""The queue of messages: in the database, so that a restart loses none; in memory, so that a database that is away
delays none. On the loop.

Messages are tried at once and side by side; one that fails is tried again later, by itself. No hook waits for another:
those that failed last come after those that did not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from streamer.errors import NotFound, StreamerError
from streamer.notify.messages import Links
from streamer.notify.senders import Sender, SendFailed
from streamer.store.database import Database
from streamer.store.hooks import Attempt, Hook, HookKind, HookMessage, HookMessages, Hooks

AT_ONCE = 32
"""Messages that are being sent."""
MOST_WAITING = 2000
RETRIES_S = (5, 30, 120, 600, 3600, 4 * 3600, 10 * 3600)
"""The waits after each failure, seconds; after the last one the message is given up."""
RETRIES_OF_PEOPLE = 4
"""A phone is told of an alarm for a quarter of an hour: later it would be wrong. A program gets it in any case."""
LATE_MS = 15 * 60_000
"""A message to a person that is older is not sent any more."""
STORE_S = 2.0
"""The wait for the database before messages go out without it."""
LONGEST_REST_S = 60.0

_log = structlog.get_logger(__name__)
Prepare = Callable[[Hook, HookMessage], Awaitable[tuple[HookMessage, Links]]]


@dataclass(slots=True)
class OutboxStats:
    """Monotonic counters, for metrics."""

    sent_total: int = 0
    failed_total: int = 0
    """Attempts."""
    given_up_total: int = 0


class Outbox:
    """``prepare`` gives a message as it may be told now, and its links. ``clock``: UTC milliseconds."""

    def __init__(self, database: Database, sender: Sender, *, clock: Callable[[], int], prepare: Prepare) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._prepare = prepare
        self._waiting: dict[str, HookMessage] = {}
        self._known: dict[str, Hook] = {}
        """Hooks as they were read last, for a time when the database is away."""
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()
        self._woken = asyncio.Event()
        self.stats = OutboxStats()

    async def start(self) -> None:
        """Raises StoreUnavailable."""
        async with self._database.read() as connection:
            stored = await HookMessages(connection).waiting()
        self._waiting = {message.id: message for message in stored[-MOST_WAITING:]}

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                self._woken.clear()
                self._send_due()
                next_ms = min(
                    (m.due_ms for m in self._waiting.values() if m.due_ms is not None and m.id not in self._flying),
                    default=None,
                )
                rest_s = LONGEST_REST_S if next_ms is None else max(0.0, (next_ms - self._clock()) / 1000)
                if len(self._flying) >= AT_ONCE:
                    rest_s = LONGEST_REST_S
                try:
                    async with asyncio.timeout(min(rest_s, LONGEST_REST_S)):
                        await self._woken.wait()
                except TimeoutError:
                    pass
        finally:
            flying = list(self._flying.values())
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    def planned(self, messages: Sequence[HookMessage], kinds: dict[str, HookKind]) -> list[HookMessage]:
        """These as they are to be stored and then sent. ``kinds``: of their hooks. With waiting ones that they replace
        (``due_ms`` None): somebody who was not told of a trouble is not told that it is over either."""
        changed: list[HookMessage] = []
        for message in messages:
            if message.kind == "ended" and kinds.get(message.hook) is not HookKind.WEBHOOK:
                late = [m for m in self._waiting.values() if m.hook == message.hook and m.alarm == message.alarm]
                for one in late:
                    del self._waiting[one.id]
                    changed.append(replace(one, due_ms=None, error="over"))
                if any(one.kind == "began" and one.id not in self._flying for one in late):
                    continue
            changed.append(message)
        while self._waiting and len(self._waiting) + len(changed) > MOST_WAITING:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self.stats.given_up_total += 1
            changed.append(replace(oldest, due_ms=None, error="too_many"))
        return changed

    def send(self, messages: Iterable[HookMessage]) -> None:
        """Those that are due."""
        self._waiting |= {message.id: message for message in messages if message.due_ms is not None}
        self._woken.set()

    def now(self, message: HookMessage) -> HookMessage:
        """A message of which :meth:`send` was told as it is now: it waits for its next attempt, or for none."""
        return self._waiting.get(message.id, replace(message, due_ms=None))

    async def send_now(self, hook: Hook, message: HookMessage) -> str:
        """One attempt, for a test. Returns the code of its failure; empty: it arrived."""
        failed = await self._attempt(hook, message)
        now_ms, tried = self._clock(), replace(message, attempts=1, due_ms=None)
        after = replace(tried, sent_ms=now_ms) if failed is None else replace(tried, error=failed.code)
        await self._note(Attempt(after, failed is not None and failed.gone, now_ms))
        return "" if failed is None else failed.code

    # --- sending ------------------------------------------------------------------------------------

    def _send_due(self) -> None:
        now_ms = self._clock()
        due = [m for m in self._waiting.values() if m.id not in self._flying and (m.due_ms or 0) <= now_ms]
        due.sort(key=lambda message: (message.hook in self._failing, message.created_ms))
        for message in due[: AT_ONCE - len(self._flying)]:
            task = asyncio.create_task(self._deliver(message), name=f"hook message {message.id}")
            self._flying[message.id] = task

    async def _deliver(self, message: HookMessage) -> None:
        try:
            await self._deliver_once(message)
        except Exception:
            # A message that breaks the sender must not be tried for ever.
            _log.exception("hook_message_broken", message=message.id)
            self._waiting.pop(message.id, None)
        finally:
            self._flying.pop(message.id, None)
            self._woken.set()

    async def _deliver_once(self, message: HookMessage) -> None:
        hook = await self._hook(message.hook)
        if hook is None:
            self._waiting.pop(message.id, None)
            return
        if hook.kind is not HookKind.WEBHOOK and self._clock() - message.created_ms > LATE_MS:
            # The process was away for long, or the database was put back: it would ring for a trouble of the past.
            self._waiting.pop(message.id, None)
            await self._note(Attempt(replace(message, due_ms=None, error="over"), at_ms=self._clock()))
            return
        failed = await self._attempt(hook, message)
        now_ms = self._clock()
        tried = replace(message, attempts=message.attempts + 1)
        if failed is None:
            self.stats.sent_total += 1
            self._failing.discard(hook.id)
            after = replace(tried, due_ms=None, sent_ms=now_ms, error="")
        else:
            self.stats.failed_total += 1
            self._failing.add(hook.id)
            after = replace(tried, due_ms=self._retry_ms(hook, tried, failed, now_ms), error=failed.code)
            given_up = after.due_ms is None
            self.stats.given_up_total += given_up
            _log.warning(
                "hook_failed", hook=hook.id, kind=hook.kind, code=failed.code, given_up=given_up, attempt=tried.attempts
            )
        still_wanted = self._waiting.pop(message.id, None) is not None
        if after.due_ms is not None and not still_wanted:
            after = replace(after, due_ms=None, error="over")
        if after.due_ms is not None:
            self._waiting[message.id] = after
        await self._note(Attempt(after, failed is not None and failed.gone, now_ms))

    async def _attempt(self, hook: Hook, message: HookMessage) -> SendFailed | None:
        told, links = await self._prepare(hook, message)
        try:
            await self._sender.send(hook, told, links, self._clock())
        except SendFailed as failed:
            return failed
        return None

    def _retry_ms(self, hook: Hook, tried: HookMessage, failed: SendFailed, now_ms: int) -> int | None:
        most = len(RETRIES_S) if hook.kind is HookKind.WEBHOOK else RETRIES_OF_PEOPLE
        if failed.final or tried.attempts > most:
            return None
        wait_s = RETRIES_S[tried.attempts - 1]
        if failed.retry_after_s is not None:
            wait_s = min(max(wait_s, round(failed.retry_after_s)), RETRIES_S[-1])
        return now_ms + wait_s * 1000

    async def _hook(self, hook_id: str) -> Hook | None:
        try:
            async with asyncio.timeout(STORE_S), self._database.read() as connection:
                hook = await Hooks(connection).get(hook_id)
        except NotFound:
            self._known.pop(hook_id, None)
            return None
        except (StreamerError, TimeoutError):
            return self._known.get(hook_id)
        self._known[hook_id] = hook
        return hook

    async def _note(self, attempt: Attempt) -> None:
        try:
            async with self._database.write() as connection:
                await HookMessages(connection).note(attempt)
        except StreamerError as error:
            # It may be sent once more after a restart; receivers know it by its id.
            _log.warning("hook_result_not_stored", message=attempt.message.id, error=error.message)
