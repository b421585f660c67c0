"""Logging in by token and by password: what the cookie is, what it opens, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import DummyCookieJar

from streamer import passwords
from streamer.api import auth, login
from streamer.api.context import SERVICES
from streamer.api.cookies import PASSWORD_IDLE_MS, SEEN_EVERY_MS
from streamer.api.limits import Turnstile
from streamer.api.revocations import Ended
from streamer.errors import TooMany, Unavailable
from streamer.passwords import SECRET_NAME
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.logins import Secrets
from tests.fakes.waiting import until
from tests.unit.api.conftest import ADMIN, REAL_HASHER, Api, Client, bearer
from tests.unit.api.test_signalling import OFFER, SDP

PASSWORD = "correct horse battery"


class Browser:
    """Keeps its cookie itself, so that a test sees and changes it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        client.session._cookie_jar = DummyCookieJar()  # only what a test sends
        self.cookie = ""
        self.attributes: Any = None

    async def __call__(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, raw: Any = None
    ) -> tuple[int, Any]:
        sent = {**(headers or {}), **({"Cookie": f"streamer_session={self.cookie}"} if self.cookie else {})}
        extra: dict[str, Any] = {"data": raw} if raw is not None else {"json": body}
        async with self.client.request(method, path, headers=sent, **extra) as response:
            if "Set-Cookie" in response.headers:
                self.attributes = SimpleCookie(response.headers["Set-Cookie"])["streamer_session"]
                self.cookie = self.attributes.value
            answer = await response.json() if response.content_type == "application/json" else None
            return response.status, answer

    async def log_in(self, **body: str) -> tuple[int, Any]:
        return await self("POST", "/api/v1/login", body)


@pytest.fixture
async def browser(client: Client) -> Browser:
    return Browser(client)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the API's clock forward by milliseconds."""
    real, ahead = auth.now_ms, [0.0]
    for module in (auth, login):
        monkeypatch.setattr(module, "now_ms", lambda: real() + round(ahead[0]))

    def forward(ms: float) -> None:
        ahead[0] += ms

    return forward


async def test_a_links_token_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(
    api: Api, browser: Browser
) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    made = await api("POST", "/grants", {"role": "technician", "room": "a", "label": "Ana"})
    assert await browser("GET", "/api/v1/me") == (401, {"error": _error("unauthorized", "You are not logged in.")})
    status, answer = await browser.log_in(token=made["token"])
    assert (status, answer["grant"], answer["role"], answer["label"], answer["room"], answer["page"]) == (
        200,
        made["id"],
        "technician",
        "Ana",
        "a",
        "/studio/a",
    )
    assert "publish" in answer["actions"]
    assert "session.create" not in answer["actions"]
    assert (browser.attributes["httponly"], browser.attributes["samesite"], browser.attributes["path"]) == (
        True,
        "Lax",
        "/",
    )
    assert browser.attributes["secure"] == ""
    assert made["token"].partition(".")[2] not in browser.cookie
    assert (await browser("GET", "/api/v1/me"))[1]["login_expires"] is not None
    room = (await browser("GET", "/api/v1/rooms/a"))[1]
    assert "alarms" in room
    assert (await browser("POST", "/whip/a", raw=OFFER, headers=SDP))[0] == 201
    # A token that comes along counts instead, a wrong one too.
    assert (await browser("GET", "/api/v1/grants", headers=bearer(ADMIN)))[0] == 200
    assert (await browser("GET", "/api/v1/rooms", headers=bearer("wrong.one")))[0] == 401


async def test_the_same_link_once_more_keeps_the_login_and_another_link_ends_it(api: Api, browser: Browser) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    ana, bob = [await api("POST", "/grants", {"role": role, "room": "a"}) for role in ("technician", "moderator")]
    await browser.log_in(token=ana["token"])
    first = browser.cookie
    status, answer = await browser.log_in(token=ana["token"])
    assert (status, answer["grant"], browser.cookie) == (200, ana["id"], first), "other tabs go by this cookie"
    await browser.log_in(token=bob["token"])
    assert browser.cookie != first
    browser.cookie = first
    assert (await browser("GET", "/api/v1/me"))[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_changes_nothing_with_the_cookie(
    api: Api, browser: Browser, headers: dict[str, str]
) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    await browser.log_in(token=await api.grant("organiser", room="a"))
    for method, path, body in (
        ("PATCH", "/api/v1/rooms/a", {"name": "B"}),
        ("DELETE", "/api/v1/rooms/a", None),
        ("POST", "/api/v1/logout", None),
    ):
        status, answer = await browser(method, path, body, headers=headers)
        assert (status, answer["error"]["code"]) == (403, "cross_site")
    status, _ = await browser("POST", "/whip/a", raw=OFFER, headers={**SDP, **headers})
    assert status == 403
    assert (await browser("PATCH", "/api/v1/rooms/a", {"name": "B"}, headers={"Sec-Fetch-Site": "same-origin"}))[
        0
    ] == 200


async def test_the_cookie_wants_tls_where_there_is_tls(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, api: Api
) -> None:
    token = await api.grant("viewer")
    proxied = settings.model_copy(
        update={"server": settings.server.model_copy(update={"trusted_proxies": ("127.0.0.1",)})}
    )
    browser = Browser(await serve(proxied))
    await browser("POST", "/api/v1/login", {"token": token}, headers={"X-Forwarded-Proto": "https"})
    assert browser.attributes["secure"] is True


async def test_logging_out_revoking_and_expiry_each_end_the_login_at_once(
    api: Api, client: Client, browser: Browser
) -> None:
    ended: list[Ended] = []

    async def told(what: Ended) -> None:
        ended.append(what)

    client.app[SERVICES].revocations.listen(told)  # type: ignore[index]
    other = await api("POST", "/grants", {"role": "moderator"})
    made = await api("POST", "/grants", {"role": "technician"})
    await browser.log_in(token=other["token"])
    first = browser.cookie
    await browser.log_in(token=made["token"])
    second, browser.cookie = browser.cookie, first
    assert (await browser("GET", "/api/v1/me"))[0] == 401, "the browser's earlier login has been replaced"
    browser.cookie = second
    assert (await browser("POST", "/api/v1/logout"))[0] == 204
    assert (browser.cookie, browser.attributes["max-age"]) == ("", "0")
    browser.cookie = second
    assert (await browser("GET", "/api/v1/me"))[0] == 401
    assert [what.grant for what in ended] == [other["id"], made["id"]]
    assert len({what.login for what in ended} - {None}) == 2
    browser.cookie = ""
    assert (await browser("POST", "/api/v1/logout"))[0] == 204

    await browser.log_in(token=made["token"])
    await api("PATCH", f"/grants/{made['id']}", {"expires": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()})
    assert (await browser("GET", "/api/v1/me"))[0] == 401
    assert (await browser.log_in(token=made["token"]))[0] == 401
    # Public addresses stay open to a browser with an old cookie.
    assert (await browser("GET", "/api/v1/rooms"))[0] == 200
    await api("PATCH", f"/grants/{made['id']}", {"expires": None})
    assert (await browser("GET", "/api/v1/me"))[0] == 200
    await api("DELETE", f"/grants/{made['id']}")
    assert (await browser("GET", "/api/v1/me"))[0] == 401
    assert ended[-1] == Ended(made["id"])


async def test_the_admin_password_opens_everything_and_a_new_one_ends_the_old_logins(
    api: Api, browser: Browser, client: Client, database: Database
) -> None:
    assert (await browser.log_in(password=PASSWORD))[0] == 401, "none is set"
    for weak in ("short", "aaaaaaaaaaaaaaaa", "x" * 2000):
        await api("PUT", "/password", {"password": weak}, expect=422)
    await api("PUT", "/password", {"password": PASSWORD}, expect=204)
    async with database.read() as connection:
        stored = await Secrets(connection).find(SECRET_NAME)
    assert stored is not None
    assert stored.startswith("$argon2id$")
    assert (await browser.log_in(password=PASSWORD + " "))[0] == 401
    status, answer = await browser.log_in(password=PASSWORD)
    assert (status, answer["role"], answer["page"]) == (200, "admin", "/admin")
    other = Browser(client)
    await other.log_in(password=PASSWORD)
    assert (await other("POST", "/api/v1/venues", {"name": "Brest"}))[0] == 201
    path, new = "/api/v1/password", "another long password"
    for body in ({"password": new}, {"password": new, "current": "wrong"}):
        assert (await browser("PUT", path, body))[1]["error"]["code"] == "wrong_password"
    assert (await browser("PUT", path, {"password": new, "current": PASSWORD}))[0] == 204
    assert (await browser("GET", "/api/v1/me"))[0] == 200
    assert (await other("GET", "/api/v1/me"))[0] == 401
    assert (await other.log_in(password=PASSWORD))[0] == 401
    assert (await other.log_in(password=new))[0] == 200
    organiser = api.as_(await api.grant("organiser"))
    await organiser("PUT", "/password", {"password": new}, expect=403)


async def test_guessing_a_password_is_slowed_down_before_it_is_compared(
    api: Api, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api("PUT", "/password", {"password": PASSWORD}, expect=204)
    for _ in range(8):
        assert (await browser.log_in(password=PASSWORD))[0] == 200, "right ones do not count"
    assert [(await browser.log_in(password=f"guess {number}"))[0] for number in range(7)] == [401] * 5 + [429] * 2
    assert (await browser.log_in(password=PASSWORD))[0] == 429
    # A link still works: a token cannot be guessed.
    assert (await browser.log_in(token=await api.grant("viewer")))[0] == 200
    assert [(await browser.log_in(token=f"wrong.{number}"))[0] for number in range(7)] == [401] * 5 + [429] * 2


async def test_a_password_login_ends_when_it_is_not_used(
    api: Api, browser: Browser, clock: Callable[[float], None]
) -> None:
    await api("PUT", "/password", {"password": PASSWORD}, expect=204)
    await browser.log_in(password=PASSWORD)
    for _ in range(3):
        clock(PASSWORD_IDLE_MS - SEEN_EVERY_MS)
        assert (await browser("GET", "/api/v1/me"))[0] == 200
    clock(PASSWORD_IDLE_MS)
    assert (await browser("GET", "/api/v1/me"))[0] == 401


async def test_a_login_by_the_environments_token_ends_with_that_token(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, browser: Browser
) -> None:
    assert (await browser.log_in(token=ADMIN))[0] == 200
    assert (await browser("GET", "/api/v1/grants"))[0] == 200
    after_restart = Browser(await serve(settings.model_copy(update={"admin_token": "another"})))
    after_restart.cookie = browser.cookie
    assert (await after_restart("GET", "/api/v1/grants"))[0] == 401


@pytest.mark.parametrize("body", [{}, {"token": "a.b", "password": "x"}, {"token": ""}, {"password": "x" * 5000}])
async def test_what_is_no_login_is_refused(browser: Browser, body: dict[str, str]) -> None:
    assert (await browser.log_in(**body))[0] == 422


@pytest.mark.parametrize("cookie", ["x", "x" * 43, "é" * 30, "t." + "x" * 43, "x" * 5000])
async def test_a_cookie_that_is_none_of_ours_is_as_good_as_none(browser: Browser, cookie: str) -> None:
    browser.cookie = cookie
    assert (await browser("GET", "/api/v1/rooms"))[0] == 200
    assert (await browser("GET", "/api/v1/me"))[0] == 401


async def test_passwords_are_compared_one_at_a_time_and_few_wait_of_each_household_one() -> None:
    turnstile, go = Turnstile(most_waiting=2), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> int:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(5)
        return turnstile.waiting

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(turnstile.run(household, work)) for household in ("a", "b")]
        while turnstile.waiting < 2:
            await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await turnstile.run("a", work)
        with pytest.raises(Unavailable):
            await turnstile.run("c", work)
        go.set()
    assert [task.result() for task in tasks] == [2, 1]
    assert (turnstile.waiting, turnstile.refused) == (0, 2)


async def test_forty_guesses_delay_the_right_password_and_do_not_refuse_it(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RFC 9106: the second recommended set of parameters.
    assert (REAL_HASHER.time_cost, REAL_HASHER.memory_cost, REAL_HASHER.parallelism) == (3, 65_536, 4)
    monkeypatch.setattr(passwords, "_HASHER", REAL_HASHER)
    server = settings.server.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    client = await serve(settings.model_copy(update={"server": server}))
    await Api(client)("PUT", "/password", {"password": PASSWORD}, expect=204)
    browser = Browser(client)

    async def guess(number: int) -> int:
        address = {"X-Forwarded-For": f"198.51.100.{number % 8}"}
        return (await browser("POST", "/api/v1/login", {"password": f"guess number {number}"}, headers=address))[0]

    hashing = client.server.app[SERVICES].hashing  # type: ignore[union-attr]
    async with asyncio.TaskGroup() as group:
        # None is compared before one of each household waits: on a busy machine they come one by one.
        async with hashing._turn:
            guesses = [group.create_task(guess(number)) for number in range(40)]
            await until(lambda: hashing.waiting == 8)
        right = {"X-Forwarded-For": "203.0.113.5"}
        status, said = await browser("POST", "/api/v1/login", {"password": PASSWORD}, headers=right)
        assert status == 200, said
    assert {each.result() for each in guesses} <= {401, 429}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "details": None}
