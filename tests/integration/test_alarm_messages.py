"""Alarms reach people within 8 s of the trouble, each through a restart of the web process: at a push service, an ntfy
server, a mail server, a webhook's receiver and a receiver of Apprise."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes import ntfy as ntfy_server
from tests.fakes.receivers import Browser, HttpReceiver, MailReceiver, http_receiver, mail_receiver
from tests.fakes.running import Running
from tests.fakes.waiting import Pace, until, until_answered, waited_s
from tests.fakes.web_alone import web_alone

PROMISED_S = 8.0


@dataclass
class Place:
    """A server and its receivers. ``ntfy`` empty: Debian's package is not there."""

    server: Running
    hooks: HttpReceiver
    apprise: HttpReceiver
    mails: MailReceiver
    browser: Browser
    ntfy: str

    async def restart(self) -> None:
        """kill -9 the web process; return when the next one answers."""
        pid = self.server.pid("web")
        os.kill(pid, signal.SIGKILL)

        async def another() -> bool:
            with contextlib.suppress(OSError, ValueError, aiohttp.ClientError):
                return self.server.pid("web") != pid and await self.server.ready()
            return False

        await until_answered(another)

    async def trouble(self, room: str, **fields: Any) -> str:
        """A session that should have begun, and nothing comes. Returns its id."""
        now = datetime.now(UTC)
        times = {"start": (now - timedelta(seconds=20)).isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
        body = {"room": room, "title": "Sailing", **times, **fields}
        made: str = (await self.server.api("POST", "/sessions", body, status=201))["id"]
        return made


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        mails = await stack.enter_async_context(mail_receiver())
        hooks, apprise = [await stack.enter_async_context(http_receiver()) for _ in range(2)]
        url = await stack.enter_async_context(ntfy_server.ntfy(tmp_path)) if ntfy_server.ntfy_program() else ""
        settings = {
            "schedules": {"allow_networks": ("127.0.0.0/8",)},
            "notify": {
                "smtp_host": "127.0.0.1",
                "smtp_port": mails.port,
                "smtp_security": "none",
                "apprise_urls": [apprise.url().replace("http:", "json:")],
            },
        }
        server = await stack.enter_async_context(web_alone(settings))
        yield Place(server, hooks, apprise, mails, Browser(), url)


async def test_each_way_is_told_within_eight_seconds_through_restarts_and_nothing_is_lost(place: Place) -> None:
    assert place.ntfy or not os.environ.get("CI"), "the ntfy server is to be installed: .ci/setup.sh"
    server, hooks = place.server, place.hooks
    await server.api("POST", "/venues", {"id": "lyon", "name": "Lyon"}, status=201)
    for room in ("before", "after"):
        await server.api("POST", "/rooms", {"id": room, "name": room.title(), "venue": "lyon"}, status=201)
    for body in (
        {"kind": "webhook", "url": hooks.url("/hook")},
        {"kind": "mail", "mail": "ann@example.org", "language": "fr"},
        {"kind": "push", "subscription": place.browser.subscription(hooks.url("/push"))},
        *([{"kind": "ntfy", "url": f"{place.ntfy}/alarms"}] if place.ntfy else []),
    ):
        await server.api("POST", "/hooks", body, status=201)
    ways = 5 if place.ntfy else 4

    async def arrived(room: str) -> set[str]:
        at = {one.path for one in hooks.got if one.path == "/hook" and one.json["data"].get("room") == room}
        at |= {
            one.path for one in hooks.got if one.path == "/push" and _pushed(place, one.body)["room"] == room.title()
        }
        at |= {"apprise" for one in place.apprise.got if one.json["title"].startswith(room.title())}
        at |= {"mail" for mail in place.mails.got if str(mail["Subject"]).startswith(room.title())}
        if place.ntfy:
            told = await ntfy_server.messages(place.ntfy, "alarms")
            at |= {"ntfy" for one in told if one["title"].startswith(room.title())}
        return at

    # The trouble begins, and the process dies before anything went out: the next one tells of it.
    pace = Pace()
    await place.trouble("before")
    os.kill(server.pid("web"), signal.SIGKILL)

    async def all_told(room: str) -> bool:
        return len(await arrived(room)) == ways

    told_s = await pace.until_answered(lambda: all_told("before"), what=lambda: server.logged()[-2000:])
    # The process that tells began in this time: it counts without its waits for a core.
    assert told_s - waited_s(server.pid("web")) < pace.allowed_s(PROMISED_S)
    # The process after it tells nothing again. Hooks and keys are as they were.
    key = (await server.api("GET", "/push-key"))["key"]
    await place.restart()
    assert (await server.api("GET", "/push-key"))["key"] == key
    # A receiver that is down gets its message when it is there again, through another restart.
    hooks.statuses = [500, 500]
    await place.trouble("after")
    await until(lambda: len([one for one in hooks.got if one.path in ("/hook", "/push")]) >= 4)
    await place.restart()
    await until_answered(lambda: all_told("after"), what=lambda: server.logged()[-2000:])
    for room in ("before", "after"):
        began_in_room = [
            one
            for one in hooks.got
            if one.path == "/hook" and (one.json["type"], one.json["data"]["room"]) == ("alarm.began", room)
        ]
        ids = {one.headers["webhook-id"] for one in began_in_room}
        assert len(ids) == 1, [one.json for one in began_in_room]
        # A process that is killed between sending a mail and noting it sends it again: programs know it by its id.
        mails = {mail["Message-ID"] for mail in place.mails.got if str(mail["Subject"]).startswith(room.title())}
        assert len(mails) == 1
    mail = place.mails.got[0]
    assert "/alarm/" in mail.get_content()
    assert "Je m’en occupe" in mail.get_content()


def _pushed(place: Place, body: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(place.browser.read(body))
    return {**message, "room": message["title"].partition(":")[0]}
