"""The one-time link by which somebody becomes the first admin: who can read it, how often and how long it opens."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from streamer.api.context import SERVICES
from streamer.api.first_admin_link import LASTS_S
from streamer.cli.granting import make_grant, set_password
from streamer.conference.grants import Role
from streamer.settings import Settings
from streamer.store.audience_tables import metadata
from streamer.store.database import Database
from tests.unit.api.conftest import Api, Client

Serve = Callable[[Settings], Awaitable[Client]]


@pytest.fixture
def _function_scoped_runner() -> Iterator[asyncio.Runner]:
    """asyncio's own loop: a timer of uvloop cannot be run ahead of its time."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
async def server(serve: Serve, settings: Settings) -> Client:
    """A new server without an admin token."""
    return await serve(settings.model_copy(update={"admin_token": ""}))


def _file(settings: Settings) -> Path:
    return settings.data / "first-admin.link"


async def _offer(client: Client) -> None:
    await client.app[SERVICES].first_admin.offer()  # type: ignore[union-attr]


def _secret(settings: Settings) -> str:
    first, _, rest = _file(settings).read_text().partition("\n")
    base, _, secret = first.partition("#first=")
    assert base == "http://streamer.test/admin"
    assert "Good once, until 20" in rest
    return secret


async def _post(client: Client, secret: str, expect: int = 201) -> Any:
    return await Api(client, token="")("POST", "/first-admin", {"secret": secret}, expect=expect)


async def test_the_link_makes_one_admin_and_is_gone(server: Client, settings: Settings) -> None:
    with capture_logs() as logs:
        await _offer(server)
    assert stat.S_IMODE(_file(settings).stat().st_mode) == 0o600
    secret = _secret(settings)
    assert secret not in str(logs)
    # Programs that look at links to show what they lead to do a GET.
    assert (await server.get("/api/v1/first-admin")).status == 405
    made = await _post(server, secret)
    assert (made["role"], made["link"].partition("#")[0]) == ("admin", "http://streamer.test/admin")
    assert not _file(settings).exists()
    api = Api(server, made["token"])
    assert (await api("GET", "/me"))["label"] == "first admin"
    (entry,) = (await api("GET", "/audit"))["items"]
    assert (entry["action"], secret in str(entry)) == ("grant.create", False)
    assert (await _post(server, secret, 403))["error"]["code"] == "link_spent"


async def test_a_look_tells_whether_the_link_is_good_and_leaves_it_so(server: Client, settings: Settings) -> None:
    await _offer(server)
    secret = _secret(settings)
    nobody = Api(server, token="")
    for _ in range(2):
        await nobody("POST", "/first-admin/look", {"secret": secret}, expect=204)
    refused = await nobody("POST", "/first-admin/look", {"secret": "another"}, expect=403)
    assert refused["error"]["code"] == "link_spent"
    await _post(server, secret)
    await nobody("POST", "/first-admin/look", {"secret": secret}, expect=403)


async def test_of_many_posts_at_once_one_wins(server: Client, settings: Settings) -> None:
    await _offer(server)
    secret = _secret(settings)

    async def post() -> int:
        async with server.post("/api/v1/first-admin", json={"secret": secret}) as response:
            return response.status

    found = await asyncio.gather(*(post() for _ in range(8)))
    assert sorted(found)[0] == 201
    assert found.count(201) == 1
    assert set(found) <= {201, 403, 429}


async def test_the_link_ends_after_half_an_hour_whatever_happens_to_the_clock(
    server: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = server.app[SERVICES].first_admin  # type: ignore[union-attr]
    await link.offer()
    secret = _secret(settings)
    real = link._clock
    monkeypatch.setattr(link, "_clock", lambda: real() + round(LASTS_S * 1000) - 5000)
    assert link.opens(secret)
    monkeypatch.setattr(link, "_clock", lambda: real() + round(LASTS_S * 1000))
    await _post(server, secret, 403)
    # The clock is set back: the loop's own still ends it, and takes the file away.
    monkeypatch.setattr(link, "_clock", lambda: real() - 86_400_000)
    assert link._end.when() - asyncio.get_running_loop().time() == pytest.approx(LASTS_S, abs=60)
    link._end._run()
    assert not link.opens(secret)
    assert not _file(settings).exists()


async def test_a_wrong_secret_counts_as_a_guess(server: Client, settings: Settings) -> None:
    await _offer(server)
    for _ in range(5):
        await _post(server, "guess", 403)
    await _post(server, "guess", 429)
    await _post(server, _secret(settings))


@pytest.mark.parametrize("how", ["command", "revoked", "password", "demo room"])
async def test_there_is_no_link_where_an_admin_has_ever_been_made(server: Client, settings: Settings, how: str) -> None:
    await _offer(server)
    secret = _secret(settings)
    if how == "password":
        await set_password(settings, "a sentence that nobody guesses")
    else:
        made = await make_grant(settings, Role.ADMIN, label=how)
        if how == "revoked":
            await Api(server, made.token)("DELETE", f"/grants/{made.grant.id}")
    # The file is gone at once, and the link that somebody may have read before opens nothing.
    assert not _file(settings).exists()
    assert (await _post(server, secret, 403))["error"]["code"] == "link_spent"
    await _offer(server)
    assert not _file(settings).exists()


async def test_another_role_is_no_admin(server: Client, settings: Settings) -> None:
    await make_grant(settings, Role.ORGANISER)
    await _offer(server)
    await _post(server, _secret(settings))


async def test_there_is_no_link_beside_the_token_from_the_environment(client: Client, settings: Settings) -> None:
    _file(settings).write_text("http://streamer.test/admin#first=left-by-a-killed-process\n")
    await _offer(client)
    assert not _file(settings).exists()
    await _post(client, "left-by-a-killed-process", 403)


async def test_a_database_of_an_older_program_offers_no_link(
    server: Client, settings: Settings, database: Database
) -> None:
    """It may have had an admin: grants that were revoked and old entries of the log are gone."""
    async with database.write() as connection:
        await connection.execute(metadata.tables["secrets"].delete())
    await _offer(server)
    assert not _file(settings).exists()
