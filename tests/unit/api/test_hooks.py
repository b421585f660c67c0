"""Ways to be reached, and what is sent when an alarm rings: over REST, to real receivers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.context import SERVICES, Services
from streamer.conference import duty
from streamer.settings import Settings
from streamer.store.database import Database, StoreUnavailable
from streamer.store.hooks import HookMessage, HookMessages
from tests.fakes.hooked_hall import hall as hall
from tests.fakes.hooked_hall import late, notifying, of_type, webhook
from tests.fakes.hooked_hall import receiver as receiver
from tests.fakes.hooked_hall import services as services
from tests.fakes.hooked_hall import settings as settings
from tests.fakes.receivers import Browser, HttpReceiver, http_receiver, vapid_claims
from tests.fakes.waiting import in_time, until, until_answered
from tests.unit.api.conftest import Api, Client

Serve = Callable[[Settings], Awaitable[Client]]


async def test_a_hook_is_made_shown_without_its_secret_changed_and_removed(hall: Api, receiver: HttpReceiver) -> None:
    made = await webhook(hall, receiver, "/a/b?token=abc", label="Ann", always=True)
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(b64decode(secret[6:])) == 32
    shown = await hall("GET", f"/hooks/{made['id']}")
    assert shown == made
    assert shown["address"] == receiver.url("/a/b")
    changed = await hall("PATCH", f"/hooks/{made['id']}", {"label": "Bob", "language": "fr"})
    assert (changed["label"], changed["language"], changed["always"]) == ("Bob", "fr", True)
    ntfy = await hall("POST", "/hooks", {"kind": "ntfy", "url": receiver.url("/secret-topic"), "token": "tk_secret"})
    everything = json.dumps([await hall("GET", "/hooks"), await hall("GET", "/audit")])
    for hidden in (secret, "token=abc", "secret-topic", "tk_secret"):
        assert hidden not in everything
    await hall("DELETE", f"/hooks/{ntfy['id']}")
    assert [one["id"] for one in (await hall("GET", "/hooks"))["items"]] == [made["id"]]
    # Another's is none of one's own.
    ann = hall.as_(await hall.grant("technician", room="salle"))
    assert (await ann("GET", "/hooks"))["items"] == []
    await ann("GET", f"/hooks/{made['id']}", expect=404)
    await ann("DELETE", f"/hooks/{made['id']}", expect=404)
    moderator = hall.as_(await hall.grant("moderator", room="salle"))
    await moderator("GET", "/hooks", expect=403)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://10.0.0.7/hook", "address_refused"),
        ("http://[::1]/hook", "address_refused"),
        ("http://169.254.169.254/latest", "address_refused"),
        ("http://[::ffff:192.168.1.1]/hook", "address_refused"),
        ("ftp://example.org/hook", "bad_address"),
        ("http://user:word@example.org/hook", "bad_address"),
    ],
)
async def test_an_address_that_must_not_be_reached_is_refused_where_it_is_typed(api: Api, url: str, code: str) -> None:
    for body in ({"kind": "webhook", "url": url}, {"kind": "ntfy", "url": url}):
        assert (await api("POST", "/hooks", body, expect=422))["error"]["code"] == code
    subscription = Browser().subscription(url)
    refused = await api("POST", "/hooks", {"kind": "push", "subscription": subscription}, expect=422)
    assert refused["error"]["code"] == code
    assert (await api("GET", "/hooks"))["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "webhook"},
        {"kind": "webhook", "url": "http://127.0.0.1/", "mail": "a@example.org"},
        {"kind": "webhook", "url": "http://127.0.0.1/", "secret": "whsec_short"},
        {"kind": "mail", "mail": "a@example.org\nBcc: all@example.org"},
        {"kind": "mail", "mail": "a@example.org"},
        {"kind": "ntfy", "url": "http://127.0.0.1/"},
        {"kind": "apprise", "url": "http://127.0.0.1/"},
        {
            "kind": "push",
            "subscription": {"endpoint": "http://127.0.0.1/", "keys": {"p256dh": "AAAAAAAA", "auth": "AAAAAAAA"}},
        },
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    await api("POST", "/hooks", body, expect=422)


async def test_a_test_says_what_is_wrong_with_a_receiver(hall: Api, receiver: HttpReceiver) -> None:
    hook = await webhook(hall, receiver)
    path = f"/hooks/{hook['id']}/test"
    assert await hall("POST", path, expect=200) == {"ok": True, "problem": None}

    async def problem() -> str:
        code: str = (await hall("POST", path, expect=200))["problem"]["code"]
        assert (await hall("GET", f"/hooks/{hook['id']}"))["problem"]["code"] == code
        return code

    receiver.statuses = [500]
    assert await problem() == "status_500"
    receiver.answer = lambda request: web.Response(status=307, headers={"Location": "/again"})
    assert await problem() == "too_many_redirects"
    receiver.answer = lambda request: web.Response(status=302, headers={"Location": "/again"})
    assert await problem() == "redirects"
    # A redirect is checked as the address was.
    receiver.answer = lambda request: web.Response(status=307, headers={"Location": "http://10.0.0.1/"})
    assert await problem() == "address_refused"
    receiver.answer = lambda request: None
    receiver.hangs = True
    assert await problem() == "too_slow"
    receiver.hangs = False
    assert await hall("POST", path, expect=200) == {"ok": True, "problem": None}
    assert (await hall("GET", f"/hooks/{hook['id']}"))["problem"] is None
    log = (await hall("GET", f"/hooks/{hook['id']}/messages"))["items"]
    assert [one["kind"] for one in log] == ["test"] * 7
    assert [one["sent"] is not None for one in log] == [True, False, False, False, False, False, True]


async def test_apprises_addresses_of_the_settings_are_the_admins_hooks_and_go_with_them(
    serve: Serve, settings: Settings, receiver: HttpReceiver
) -> None:
    def with_addresses(*addresses: str) -> Settings:
        notify = settings.notify.model_copy(update={"apprise_urls": addresses, "send_timeout_s": 30})
        return settings.model_copy(update={"notify": notify})

    async def started(*addresses: str) -> Api:
        client = await serve(with_addresses(*addresses))
        assert client.server is not None
        await client.server.app[SERVICES].notifier.start()  # type: ignore[attr-defined]
        return Api(client)

    first, second = (receiver.url(f"/{name}?key=hidden").replace("http:", "json:") for name in ("first", "second"))
    admin = await started(first, second)
    items = (await admin("GET", "/hooks"))["items"]
    assert [(one["kind"], one["address"], one["always"]) for one in items] == [("apprise", "json:", True)] * 2
    for one in items:
        assert await admin("POST", f"/hooks/{one['id']}/test", expect=200) == {"ok": True, "problem": None}
    assert {one.path for one in receiver.got} == {"/first", "/second"}
    receiver.statuses = [500]
    refused = await admin("POST", f"/hooks/{items[0]['id']}/test", expect=200)
    assert refused["problem"]["code"] == "refused"
    answer = await admin("DELETE", f"/hooks/{items[0]['id']}", expect=409)
    assert answer["error"]["code"] == "in_settings"
    # With the settings their log stays, and what is gone from them goes.
    kept = (await (await started(second))("GET", "/hooks"))["items"]
    assert len(kept) == 1
    assert kept[0]["id"] in {one["id"] for one in items}
    assert len((await admin("GET", f"/hooks/{kept[0]['id']}/messages"))["items"]) >= 1


async def test_a_test_of_a_subscription_that_has_ended_says_so_and_removes_it(
    hall: Api, receiver: HttpReceiver
) -> None:
    subscription = Browser().subscription(receiver.url("/push"))
    hook = await hall("POST", "/hooks", {"kind": "push", "subscription": subscription})
    path = f"/hooks/{hook['id']}/test"
    assert await hall("POST", path, expect=200) == {"ok": True, "problem": None}
    assert vapid_claims(receiver.got[0].headers["Authorization"])["aud"] == receiver.url("/").rstrip("/")
    receiver.statuses = [410]
    tried = await hall("POST", path, expect=200)
    assert (tried["ok"], tried["problem"]["code"]) == (False, "gone")
    assert (await hall("GET", "/hooks"))["items"] == []


async def test_a_name_that_leads_into_the_network_later_is_not_followed(
    hall: Api, services: Services, receiver: HttpReceiver
) -> None:
    """DNS rebinding: the name was public where it was typed."""
    answers = [["93.184.215.14"], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    services.notifier.sender._resolve = resolve
    hook = await hall("POST", "/hooks", {"kind": "webhook", "url": "http://hook.example.org/"})
    tried = await hall("POST", f"/hooks/{hook['id']}/test", expect=200)
    assert tried["problem"]["code"] == "address_refused"


# --- an alarm ---------------------------------------------------------------------------------------


async def test_an_alarm_is_told_signed_with_links_once_and_its_end_once(
    hall: Api, services: Services, receiver: HttpReceiver
) -> None:
    hook = await webhook(hall, receiver)
    browser = Browser()
    async with notifying(services):
        await hall("POST", "/hooks", {"kind": "push", "subscription": browser.subscription(receiver.url("/push"))})
        await hall("POST", "/hooks", {"kind": "ntfy", "url": receiver.url("/topic-of-ann")})
        with in_time(8):
            session = await late(hall)
            await until(lambda: len(receiver.got) == 3)
        by_path = {one.path: one for one in receiver.got}
        got = by_path["/hook"]
        signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
        mac = hmac.new(b64decode(hook["secret"][6:]), signed, hashlib.sha256).digest()
        assert got.headers["webhook-signature"] == f"v1,{b64encode(mac).decode()}"
        assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
        told = got.json
        assert told["type"] == "alarm.began"
        data = told["data"]
        assert (data["room"], data["room_name"], data["kind"], data["title"]) == (
            "salle",
            "La Salle",
            "nothing_coming_in",
            "Sailing",
        )
        assert {"cause", "since", "incident", "link", "take", "still", "clip", "alarm"} <= data.keys()
        push = by_path["/push"]
        message = json.loads(browser.read(push.body))
        assert message["tag"] == data["incident"] == push.headers["Topic"]
        # RFC 8030, 5.2: no push service takes a message without TTL.
        assert {"TTL": "900", "Urgency": "high", "Content-Encoding": "aes128gcm"}.items() <= push.headers.items()
        assert vapid_claims(push.headers["Authorization"])["aud"] == receiver.url("/").rstrip("/")
        ntfy = by_path["/"].json
        assert (ntfy["topic"], ntfy["priority"]) == ("topic-of-ann", 5)
        assert ntfy["actions"][0]["method"] == "POST"
        # Each is told once, whatever else changes.
        await hall("PATCH", f"/sessions/{session}", {"title": "Rowing"})
        await services.notifier.look()
        await hall("POST", f"/sessions/{session}/cancel", expect=200)
        services.notifier._started_ms -= 60_000
        await until(lambda: len(receiver.got) >= 6)
        ended = [one for one in receiver.got[3:] if one.path == "/hook"]
        assert of_type(ended, "alarm.ended")[0]["data"]["incident"] == data["incident"]
        assert "take" not in ended[0].json["data"]
        await services.notifier.look()
    assert len(receiver.got) == 6


async def test_the_link_has_a_button_and_only_the_button_takes_the_alarm(
    hall: Api, services: Services, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = hall.as_((await hall("POST", "/grants", {"role": "technician", "venue": "lyon", "label": "Ann"}))["token"])
    await webhook(ann, receiver)
    client = hall.client
    async with notifying(services):
        await late(hall)
        await until(lambda: receiver.got)
        data = receiver.got[0].json["data"]
        link, take = (text.removeprefix("http://streamer.test") for text in (data["link"], data["take"]["url"]))
        for _ in range(2):
            answer = await client.get(link, headers={"Accept-Language": "fr"})
            page = await answer.text()
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "private, no-store")
            assert '<form method="post"><button>Je m’en occupe</button></form>' in page
        assert (await hall("GET", "/alarms"))["items"][0]["acknowledged"] is None
        # The key to look does not take, and the key to take does not look.
        look = link.rpartition("/")[2]
        assert (await client.post(f"/alarm/{look}")).status == 404
        assert (await client.get(f"{take}/still.jpg")).status == 404
        for _ in range(2):
            answer = await client.post(take)
            assert answer.status == 200
            assert "You have it" in await answer.text()
        assert (await hall("GET", "/alarms"))["items"][0]["acknowledged"] == "Ann"
        # When its time is over it is free: it rings again, once.
        monkeypatch.setattr(duty, "TAKEN_MS", 0)
        await until(lambda: len(receiver.got) == 2)
        again = receiver.got[1].json
        assert (again["type"], again["data"]["incident"]) == ("alarm.began", data["incident"])
        monkeypatch.setattr(duty, "TAKEN_MS", 300_000)
        # A key is good for a quarter of an hour, and for somebody who still may.
        me = (await ann("GET", "/me"))["grant"]
        await hall("DELETE", f"/grants/{me}")
        assert (await client.post(take)).status == 404


@pytest.mark.parametrize(
    "fields",
    [{"visibility": "private"}, {"visibility": "unlisted"}, {"do_not_record": "yes"}, {"do_not_stream": "yes"}],
)
async def test_a_message_about_a_session_that_keeps_to_itself_has_room_and_cause_only(
    hall: Api, services: Services, receiver: HttpReceiver, fields: dict[str, str]
) -> None:
    browser = Browser()
    await webhook(hall, receiver)
    await hall("POST", "/hooks", {"kind": "push", "subscription": browser.subscription(receiver.url("/push"))})
    await hall("POST", "/hooks", {"kind": "ntfy", "url": receiver.url("/topic-of-ann")})
    async with notifying(services):
        session = await late(hall, **fields)
        await until(lambda: len(receiver.got) >= 3)
    texts = [one.body if one.path != "/push" else browser.read(one.body) for one in receiver.got]
    async with services.database.read() as connection:
        texts += [
            json.dumps(dict(one.facts)).encode()
            for hook in (await hall("GET", "/hooks"))["items"]
            for one in (await HookMessages(connection).page(hook["id"], 50, None)).items
        ]
    for text in texts:
        for hidden in ("Sailing", session, "still", "clip.mp4", "since"):
            assert hidden not in text.decode().replace('"image":""', "")
    data = next(one for one in receiver.got if one.path == "/hook").json["data"]
    assert data.keys() == {"incident", "room", "room_name", "kind", "cause", "link", "take"}
    page = await (await hall.client.get(data["link"].removeprefix("http://streamer.test"))).text()
    assert "Sailing" not in page
    assert "<img" not in page


async def test_bad_receivers_delay_no_alarm_and_lose_none(
    hall: Api, services: Services, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.notify.outbox.RETRIES_S", (1, 1, 1, 1, 1, 1, 1))
    async with http_receiver() as dead, http_receiver() as hangs, http_receiver() as broken:
        hangs.hangs = True
        broken.statuses = [500, 503]
        dead.answer = lambda request: web.Response(status=410)
        for bad in (hangs, broken):
            await webhook(hall, bad)
        await hall("POST", "/hooks", {"kind": "push", "subscription": Browser().subscription(dead.url("/push"))})
        await webhook(hall, receiver)
        async with notifying(services):
            with in_time(5):
                await late(hall)
                await until(lambda: receiver.got)
            # A message that failed is tried again under the same id, and arrives.
            await until(lambda: len(broken.got) == 3)
            assert len({one.headers["webhook-id"] for one in broken.got}) == 1
            hangs.hangs = False
            await until(lambda: hangs.got)

            async def gone() -> bool:
                return "push" not in [one["kind"] for one in (await hall("GET", "/hooks"))["items"]]

            await until_answered(gone)
    assert len(receiver.got) == 1


class FirstWrite:
    """A database whose first write transaction waits for ``before``, or fails with what that raises."""

    def __init__(self, database: Database, before: Callable[[], Awaitable[None]]) -> None:
        self.read, self._database, self._before, self._first = database.read, database, before, True

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        first, self._first = self._first, False
        if first:
            await self._before()
        async with self._database.write() as connection:
            yield connection


async def test_no_message_goes_out_before_a_restart_would_know_of_it(
    hall: Api, services: Services, receiver: HttpReceiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[int] = []

    def note(request: web.Request) -> None:
        with closing(sqlite3.connect(settings.data / "streamer.sqlite3")) as there:
            known.append(there.execute("SELECT count(*) FROM rings").fetchone()[0])

    async def much_time() -> None:
        """A hundred times what a message needs here, if nothing keeps it back."""
        for _ in range(100):
            if known:
                break
            await asyncio.sleep(0.005)

    receiver.answer = note
    await webhook(hall, receiver)
    monkeypatch.setattr(services.notifier, "_database", FirstWrite(services.database, much_time))
    monkeypatch.setattr("streamer.notify.notifier.STORE_S", 60.0)
    async with notifying(services):
        await late(hall)
        await until(lambda: receiver.got)
    assert known == [1]


async def test_what_could_not_be_stored_is_told_at_once_and_not_again_after_a_restart(
    hall: Api, services: Services, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable("The database does not answer.")

    made = await webhook(hall, receiver)
    monkeypatch.setattr(services.notifier, "_database", FirstWrite(services.database, away))
    async with notifying(services):
        await late(hall)
        # The receiver knows before the sender does.
        await until(lambda: services.notifier.outbox.stats.sent_total)
    assert services.notifier.faults == 1
    await services.notifier.look()
    # Another process has what is stored, and tells nothing.
    await services.notifier.start()
    services.notifier._started_ms -= 60_000
    await services.notifier.look()
    log = (await hall("GET", f"/hooks/{made['id']}/messages"))["items"]
    assert [(one["id"], one["next"]) for one in log] == [(receiver.got[0].headers["webhook-id"], None)]


async def test_a_message_of_long_ago_rings_nobody_and_reaches_programs_all_the_same(
    hall: Api, services: Services, receiver: HttpReceiver
) -> None:
    """A database that is put back from a backup still has what waited then."""
    made = [
        await webhook(hall, receiver),
        await hall("POST", "/hooks", {"kind": "ntfy", "url": receiver.url("/topic-of-ann")}),
    ]
    old_ms = round(time.time() * 1000) - 3_600_000
    facts = {"room": "salle", "room_name": "La Salle", "cause": "Black", "kind": "picture_black"}
    async with services.database.write() as connection:
        messages = [HookMessage(f"m{n}", one["id"], "began", "a", facts, old_ms, old_ms) for n, one in enumerate(made)]
        await HookMessages(connection).put(messages)
    await services.notifier.outbox.start()
    async with notifying(services):

        async def settled() -> bool:
            log = [(await hall("GET", f"/hooks/{one['id']}/messages"))["items"][0] for one in made]
            return bool(receiver.got) and all(one["next"] is None for one in log)

        await until_answered(settled)
    assert [one.path for one in receiver.got] == ["/hook"]
    log = (await hall("GET", f"/hooks/{made[1]['id']}/messages"))["items"]
    assert [(one["sent"], one["next"], one["problem"]["code"]) for one in log] == [(None, None, "over")]
    assert (await hall("GET", f"/hooks/{made[1]['id']}"))["problem"] is None
