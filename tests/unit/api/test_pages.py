"""Pages, assets, security headers and the answer to other sites."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from streamer.sections import EdgeSettings
from streamer.settings import Settings
from tests.unit.api.conftest import ADMIN, Api, Client, bearer


def config_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="streamer-config">(.*?)</script></head>', html)
    assert found is not None, html
    config: dict[str, Any] = json.loads(found[1])
    return config


async def test_a_page_tells_its_room_and_is_never_stale(client: Client, api: Api) -> None:
    await api("POST", "/venues", {"id": "v", "name": "Maison"})
    name = 'Salle </script><!-- & "Été"'
    await api("POST", "/rooms", {"id": "a", "name": name, "venue": "v"})
    for page in ("watch", "studio", "embed", "caption", "stage"):
        async with client.get(f"/{page}/a") as response:
            assert response.status == 200
            assert response.headers["Cache-Control"].endswith("no-cache")
            config = config_of(await response.text())
        assert config["page"] == page
        assert config["room"] == {
            "id": "a",
            "name": name,
            "venue": "Maison",
            "timezone": "Europe/Paris",
            "logos": [],
        }
        assert config["publicUrl"] == "http://streamer.test"
        assert (config["whep"], config["iceServers"], config["locale"]) == (True, [], "en")
    others = {
        "home": "/",
        "studio": "/studio",
        "join": "/join",
        "session": "/session/any-at-all",
        "docs": "/api/v1/docs",
    }
    for page, path in others.items():
        async with client.get(path) as response:
            config = config_of(await response.text())
            assert (config["page"], config["room"]) == (page, None)
    for path in ("/admin", "/admin/", "/admin/sessions/any%2Fthing?day=2026-11-24"):
        async with client.get(path) as response:
            assert config_of(await response.text())["page"] == "admin"


async def test_home_tells_whether_a_login_chooses_its_room_there(api: Api, client: Client) -> None:
    await api("POST", "/venues", {"id": "v", "name": "Maison"})
    await api("POST", "/rooms", {"id": "a", "name": "A", "venue": "v"})
    for scope, chooses in (({"venue": "v"}, True), ({"room": "a"}, None)):
        token = await api.grant("captioner", **scope)
        async with client.get("/", headers=bearer(token)) as response:
            assert config_of(await response.text()).get("chooses") is chooses
            assert response.headers["Cache-Control"] == ("private, no-cache" if chooses else "no-cache")


async def test_an_unknown_room_is_said_in_the_visitors_language(client: Client) -> None:
    for accept, words in (("fr-FR,fr;q=0.9,en;q=0.5", "Il n’y a rien ici"), ("de, en;q=0.1", "nothing here")):
        async with client.get("/watch/nowhere", headers={"Accept-Language": accept}) as response:
            assert response.status == 404
            assert response.headers["Content-Type"].startswith("text/html")
            assert words in await response.text()
    async with client.get("/no/such/page", headers={"Accept": "text/html", "Accept-Language": "fr"}) as response:
        assert response.status == 404
        assert "Il n’y a rien ici" in await response.text()


async def test_only_the_embed_page_may_be_framed(client: Client, api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    for path, frames in (("/watch/a", "'none'"), ("/studio/a", "'none'"), ("/", "'none'"), ("/embed/a", "*")):
        async with client.get(path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert f"frame-ancestors {frames}" in policy
            assert "default-src 'self'" in policy
            assert ("X-Frame-Options" in response.headers) == (frames != "*")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "X-Request-Id" in response.headers
            assert "Strict-Transport-Security" not in response.headers


async def test_players_may_go_to_the_edges_by_their_names(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings
) -> None:
    client = await serve(settings.model_copy(update={"edges": EdgeSettings(names=("edge1.example", "edge2.example"))}))
    async with client.get("/") as response:
        policy = response.headers["Content-Security-Policy"]
    edges = "http://edge1.example http://edge2.example;"
    assert f"connect-src 'self' {edges}" in policy
    assert f"media-src 'self' blob: {edges}" in policy


async def test_assets_are_compressed_and_kept_for_ever(client: Client) -> None:
    async with client.get("/assets/app-abc123.js", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.status == 200
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Content-Type"].startswith("application/javascript")
        etag = response.headers["ETag"]
        assert (await response.text()).startswith("console.log")
    async with client.get("/assets/app-abc123.js", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
    async with client.get("/assets/app-abc123.js", headers={"If-None-Match": etag}) as response:
        assert response.status == 304


async def test_what_the_build_has_packed_goes_to_who_takes_it(client: Client) -> None:
    for accepts, coding in (("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("deflate, abrasive", None)):
        request = client.get("/assets/app-abc123.js", headers={"Accept-Encoding": accepts}, auto_decompress=False)
        async with request as response:
            assert response.headers.get("Content-Encoding") == coding
            assert response.headers["Content-Type"].startswith("application/javascript")
            assert (await response.read() == b"what the build packed") is (coding == "br")


@pytest.mark.parametrize(
    "path",
    ["/assets/nothing.js", "/assets/../index.html", "/assets/%2e%2e/index.html", "/assets//etc/passwd", "/assets/%00"],
)
async def test_nothing_outside_the_assets_is_served(client: Client, path: str) -> None:
    import yarl

    async with client.session.get(yarl.URL(str(client.make_url("/"))[:-1] + path, encoded=True)) as response:
        assert response.status in (400, 404)


async def test_without_a_built_front_end_the_pages_say_so(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, tmp_path: Path
) -> None:
    client = await serve(settings.model_copy(update={"web_dist": tmp_path / "nothing"}))
    async with client.get("/", headers={"Accept-Language": "fr"}) as response:
        assert response.status == 503
        assert "make setup" in await response.text()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 401),
        ({"Origin": "http://streamer.test"}, 401),
        ({"Origin": "https://friend.test", "Sec-Fetch-Site": "cross-site"}, 401),
        ({}, 401),
    ],
)
async def test_a_cookie_is_no_permission_for_another_site(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, headers: dict[str, str], status: int
) -> None:
    server = settings.server.model_copy(update={"allowed_origins": ("https://friend.test",)})
    client = await serve(settings.model_copy(update={"server": server}))
    async with client.post(
        "/api/v1/rooms", json={"id": "a", "name": "A"}, headers={"Cookie": "session=1", **headers}
    ) as response:
        assert response.status == status
    async with client.post(
        "/api/v1/rooms",
        json={"id": "a", "name": "A"},
        headers={"Cookie": "session=1", **headers, **bearer(ADMIN)},
    ) as response:
        assert response.status == 201


async def test_behind_a_trusted_proxy_tls_and_address_are_the_clients(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    client = await serve(settings)
    async with client.get("/", headers=forwarded) as response:
        assert "Strict-Transport-Security" not in response.headers
    server = settings.server.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)})
    client = await serve(settings.model_copy(update={"server": server}))
    async with client.get("/", headers=forwarded) as response:
        assert "Strict-Transport-Security" in response.headers
    wrong = [await _wrong_token(client, f"203.0.113.{number}") for number in range(7)]
    assert wrong == [401] * 7
    wrong = [await _wrong_token(client, f"6.6.6.{number}, 203.0.113.200") for number in range(7)]
    assert wrong == [401] * 5 + [429] * 2


async def _wrong_token(client: Client, forwarded_for: str) -> int:
    headers = {"X-Forwarded-For": forwarded_for, **bearer("wrong.token")}
    async with client.get("/api/v1/grants", headers=headers) as response:
        return response.status


async def test_whom_to_tell_of_weaknesses(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, client: Client
) -> None:
    """RFC 9116. An operator who named nobody has no such file, rather than one that names us."""
    async with client.get("/.well-known/security.txt") as response:
        assert response.status == 404
    contact = "mailto:security@venue.example"
    named = await serve(
        settings.model_copy(update={"server": settings.server.model_copy(update={"security_contact": contact})})
    )
    async with named.get("/.well-known/security.txt") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        fields = dict(line.split(": ", 1) for line in (await response.text()).splitlines())
    assert fields["Contact"] == contact
    assert fields["Canonical"] == "http://streamer.test/.well-known/security.txt"
    left = datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)
    assert timedelta(days=90) < left < timedelta(days=365)


@pytest.mark.parametrize("contact", ["security@venue.example", "http://venue.example", "mailto:a@b\r\nX: y"])
def test_a_contact_is_an_address_that_a_program_can_follow(contact: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"server": {"security_contact": contact}})


async def test_the_page_can_be_installed_and_nothing_of_it_is_kept(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, built_pages: Path, tmp_path: Path
) -> None:
    public = Path(__file__).parents[3] / "web" / "public"
    dist = shutil.copytree(built_pages, tmp_path / "dist")
    client = await serve(settings.model_copy(update={"web_dist": dist}))
    for name in (
        "site.webmanifest",
        "service-worker.js",
        *(f"icons/{icon.name}" for icon in (public / "icons").iterdir()),
    ):
        target = dist / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((public / name).read_bytes())
    async with client.get("/service-worker.js") as response:
        # A browser asks each time whether it has changed.
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
        assert response.content_type == "application/javascript"
    async with client.get("/site.webmanifest") as response:
        assert response.content_type == "application/manifest+json"
        manifest = await response.json(content_type=None)
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    for icon in manifest["icons"]:
        async with client.get(icon["src"]) as response:
            assert response.status == 200
            with Image.open(io.BytesIO(await response.read())) as picture:
                assert f"{picture.width}x{picture.height}" == icon["sizes"]
    # The service worker hears of no request, so it can serve no page of yesterday.
    listened = re.findall(r"addEventListener\('(\w+)'", (public / "service-worker.js").read_text("utf-8"))
    assert "push" in listened
    assert "fetch" not in listened
