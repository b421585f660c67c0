"""Links that people are given: the page that logs them in and leads them on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.fakes.browser import needs_chromium, opened
from tests.fakes.running import Running

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow, *needs_chromium]

PASSWORD = "a sentence that nobody guesses"
ME = "fetch('/api/v1/me').then((answer) => answer.json())"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(pages_server: Running) -> Running:
    await pages_server.room("lobby", name="Foyer")
    return pages_server


async def session_link(server: Running, role: str) -> tuple[str, str]:
    """A new session's id and a link for it."""
    now = datetime.now(UTC)
    body = {"room": "lobby", "title": "T", "start": now.isoformat(), "end": (now + timedelta(hours=1)).isoformat()}
    session = await server.api("POST", "/sessions", body, status=201)
    grant = await server.api("POST", "/grants", {"role": role, "session": session["id"], "label": "Ana"}, status=201)
    return session["id"], grant["link"]


async def test_a_sessions_technician_comes_into_the_studio_of_its_room(browser: Browser, server: Running) -> None:
    session, link = await session_link(server, "technician")
    assert link.startswith(f"{server.url}/join#token=")
    async with opened(browser, link, requests=True) as seen:
        await seen.page.wait_for_url(f"{server.url}/studio/lobby")
        await seen.holds("location.hash === ''")
        me = await seen.page.evaluate(ME)
        told = [me.get(name) for name in ("role", "session", "label", "rooms")]
        assert told == ["technician", session, "Ana", ["lobby"]], me
        # The other one is the participant's, who has no account.
        (cookie,) = [one for one in await seen.context.cookies() if one["name"] == "streamer_session"]
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("streamer_session", True, "Lax")
        assert await seen.page.evaluate("document.cookie") == ""
        secret = link.rpartition(".")[2]
        assert not any(secret in request.url for request in seen.requests)


async def test_a_link_that_is_over_is_explained_and_another_can_be_pasted(browser: Browser, server: Running) -> None:
    _, link = await session_link(server, "technician")
    async with opened(browser, f"{server.url}/join#token=gone.gone", language="fr-FR") as seen:
        await seen.text("Ce lien n’est pas valide.")
        await seen.holds("location.hash === ''")
        assert await seen.accessibility() == []
        await seen.page.get_by_label("Lien ou jeton").fill(link)
        await seen.page.get_by_role("button", name="Se connecter", exact=True).click()
        await seen.page.wait_for_url(f"{server.url}/studio/lobby")


async def test_every_page_that_takes_a_link_gives_its_token_up_and_logs_in_by_it(
    browser: Browser, server: Running
) -> None:
    rooms = ("watch/lobby?t=5", "studio/lobby", "moderate/lobby", "caption/lobby")
    for page in ("", "studio", "moderate", "admin", *rooms):
        label = f"of {page}"
        grant = await server.api("POST", "/grants", {"role": "organiser", "label": label}, status=201)
        async with opened(browser, f"{server.url}/{page}#token={grant['token']}") as seen:
            await seen.holds("location.hash === ''")
            assert seen.page.url == f"{server.url}/{page}"
            await seen.holds(f"{ME}.then((me) => me.label === '{label}')")


async def test_the_administrator_comes_in_by_password(browser: Browser, server: Running) -> None:
    await server.api("PUT", "/password", {"password": PASSWORD}, status=204)
    async with opened(browser, f"{server.url}/join") as seen:
        await seen.page.get_by_role("button", name="administrator’s password").click()
        field = seen.page.get_by_label("Administrator’s password")
        await field.fill("not this one")
        await field.press("Enter")
        await seen.text("This is not the password.")
        await field.fill(PASSWORD)
        await field.press("Enter")
        await seen.page.wait_for_url(lambda url: "/join" not in url)
        assert (await seen.page.evaluate(ME))["role"] == "admin"


async def test_a_page_knows_nothing_of_who_was_there_before(browser: Browser, server: Running) -> None:
    """All tests here take their browser contexts in turns."""
    for _ in range(2):
        async with opened(browser, f"{server.url}/join") as seen:
            assert await seen.page.evaluate(KEPT) == [None, None, "", [], []]
            await seen.page.evaluate(KEEP)
            assert await seen.page.evaluate(KEPT) == ["1", "1", "kept=1", ["kept"], ["kept"]]


KEPT = """async () => [localStorage.getItem('kept'), sessionStorage.getItem('kept'), document.cookie,
  (await indexedDB.databases()).map(({ name }) => name), await caches.keys()]"""
KEEP = """async () => {
  localStorage.setItem('kept', '1')
  sessionStorage.setItem('kept', '1')
  document.cookie = 'kept=1'
  await caches.open('kept')
  await new Promise((resolve) => { indexedDB.open('kept').onsuccess = resolve })
}"""
