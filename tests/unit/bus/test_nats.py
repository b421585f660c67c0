"""The bus over a real NATS server: losses, silence, gaps, and in words what is wrong."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from streamer.bus.nats_connection import Access, BusFailed
from streamer.bus.nats_trial import tried
from streamer.bus.over_nats import NatsCore, NatsFront
from streamer.bus.port import UNAVAILABLE
from streamer.cli import check
from streamer.errors import StreamerError
from streamer.sections import BusSettings
from tests.fakes.nats_server import NatsServer, needs_nats, running_nats
from tests.fakes.waiting import LIMIT_S, until

pytestmark = needs_nats


class Said(msgspec.Struct, frozen=True):
    n: int
    text: str = ""


class Heard:
    """A front's stream, by its counter."""

    def __init__(self) -> None:
        self.last = 0
        self.gaps: list[int] = []

    def __call__(self, said: Said) -> None:
        if said.n != self.last + 1:
            self.gaps.append(said.n)
        self.last = said.n


@asynccontextmanager
async def both(server: NatsServer, **options: Any) -> AsyncIterator[tuple[NatsCore, NatsFront, Heard]]:
    core = NatsCore(Access.of(server.settings(), "core"))
    front = NatsFront(Access.of(server.settings(), "front"), **options)
    heard = Heard()
    front.subscribe("front.1", Said, heard)

    async def answered(asked: Said) -> Said:
        return asked

    core.answer("core.ask", Said, answered)
    try:
        await core.start()
        await front.start()
        await until(lambda: core.up and front.up)
        yield core, front, heard
    finally:
        await front.close()
        await core.close()


async def test_a_killed_server_fails_requests_at_once_and_is_survived(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats") as server, capture_logs() as logs:
        async with both(server) as (core, front, heard):
            begun = asyncio.Event()

            async def never(_asked: Said) -> None:
                begun.set()
                await asyncio.Event().wait()

            core.answer("core.never", Said, never)
            states: list[bool] = []
            front.listen(states.append)
            core.publish("front.1", Said(1))
            asking = asyncio.create_task(front.request("core.never", Said(1), Said, 3600))
            await begun.wait()
            await until(lambda: heard.last == 1)
            server.kill()
            with pytest.raises(StreamerError) as caught:
                await asyncio.wait_for(asking, LIMIT_S)
            assert caught.value.code == UNAVAILABLE
            await until(lambda: not core.up)
            for n in range(2, 5000):
                core.publish("front.1", Said(n, "x" * 5000))
            assert (len(core._out), core._out_bytes) == (0, 0), "nothing is kept for a server that is away"
            with pytest.raises(StreamerError):
                await front.request("core.ask", Said(1), Said, 3600)
            server.start()
            await until(lambda: core.up and front.up)
            assert states == [False, True]
            assert await front.request("core.ask", Said(7), Said, LIMIT_S) == Said(7)
            core.publish("front.1", Said(5000))
            await until(lambda: heard.last == 5000)
            assert heard.gaps == [5000]
    events = [line["event"] for line in logs]
    assert (events.count("bus_up"), events.count("bus_lost")) == (4, 2)
    assert events.count("bus_failed") <= 2, "what goes on being wrong is said once"


async def test_a_frozen_server_is_given_up_and_holds_nothing(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats") as server:
        async with both(server) as (core, front, _):
            server.freeze()
            asking = asyncio.create_task(front.request("core.ask", Said(1), Said, 3600))
            for n in range(1000):
                core.publish("front.1", Said(n, "x" * 30_000))
            assert core.dropped > 0, "what nobody takes is bounded"
            with pytest.raises(StreamerError):
                await asyncio.wait_for(asking, LIMIT_S)
            await until(lambda: not (core.up or front.up))
            server.thaw()
            await until(lambda: core.up and front.up)
            assert await front.request("core.ask", Said(7), Said, LIMIT_S) == Said(7)


async def test_what_nats_drops_for_a_slow_front_is_a_gap_in_its_stream(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats") as server, capture_logs() as logs:
        async with both(server, in_bytes=4000) as (core, front, heard):
            sent = 0
            while not heard.gaps:
                for _ in range(50):
                    sent += 1
                    core.publish("front.1", Said(sent, "x" * 1000))
                await asyncio.sleep(0)
                await front.request("core.ask", Said(1), Said, LIMIT_S)
            assert front.dropped > 0
    assert [line["subject"] for line in logs if line["event"] == "bus_dropped"] == ["front.1"]


async def test_a_user_who_may_not_do_its_part_is_told_so_in_the_log(tmp_path: Path) -> None:
    mixed_up = (('subscribe: ["front.>"]', 'subscribe: ["front.inbox.>"]'),)
    with running_nats(tmp_path / "nats", changes=mixed_up) as server, capture_logs() as logs:
        front = NatsFront(Access.of(server.settings(), "front"))
        front.subscribe("front.1", Said, lambda said: None)
        await front.start()
        await until(lambda: any(line["event"] == "bus_failed" for line in logs))
        assert not front.up
        await front.close()
    (told,) = [line["error"] for line in logs if line["event"] == "bus_failed"]
    assert 'does not let the front subscribe to "front.1"' in told


async def test_the_rules_of_the_recipe_are_those_that_the_bus_needs_and_no_more(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats", tls=True) as server:
        assert await tried(server.settings()) == ""
        finding = await asyncio.to_thread(check.bus, server.settings())
        assert (finding.level, finding.subject) == ("ok", "bus")
        finding = await asyncio.to_thread(check.bus, server.settings(ca=None))
        assert (finding.level, "certificate" in finding.text) == ("bad", True)
        async with both(server) as (core, _, heard):
            core.publish("front.1", Said(1))
            await until(lambda: heard.last == 1)
            assert await tried(server.settings()) == "", "beside a bus that works"


LOOSE = (('publish: ["core.>"], subscribe: ["front.>"]', 'publish: [">"], subscribe: [">"]'),)


async def why(settings: BusSettings) -> str:
    with pytest.raises(BusFailed) as caught:
        await tried(settings)
    return caught.value.message


async def test_what_is_wrong_with_a_server_is_said_in_words(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats") as server:
        wrong, one_word = tmp_path / "wrong", tmp_path / "word"
        wrong.write_text("front:other\n")
        one_word.write_text("front\n")
        url = server.settings().url
        assert await why(server.settings(front_credentials=wrong)) == (
            f"{url} does not know the user in {wrong}, or its password is wrong"
        )
        assert await why(server.settings(core_credentials=None)) == (
            f"{url} wants to know who connects: bus.core_credentials is not set"
        )
        assert "has neither a line user:password" in await why(server.settings(front_credentials=one_word))
        assert "cannot be read" in await why(server.settings(front_credentials=tmp_path / "none"))
        assert await why(server.settings(url=f"tls://localhost:{server.port}")) == (
            f"tls://localhost:{server.port} offers no TLS: nats:// goes without it"
        )
        assert 'does not let the core publish to "front.' in await why(
            server.settings(core_credentials=server.folder / "front")
        )
        server.freeze()
        assert await why(server.settings()) == f"{url} does not answer within 3 s"
        server.thaw()
    assert await why(server.settings()) == f"{url} is not reached (Connection refused)"
    assert "is not reached (Connection refused)" in await why(server.settings(url=f"nats://localhost:{server.port}"))
    assert "there is no such name" in await why(server.settings(url="nats://nats.invalid"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        asking = asyncio.create_task(why(server.settings(url=f"nats://127.0.0.1:{port}")))
        other.setblocking(False)
        accepted, _ = await asyncio.get_running_loop().sock_accept(other)
        with accepted:
            accepted.sendall(b"220 mail.example ESMTP\r\n")
            assert (await asking).endswith("what answers there is no NATS server")
    with running_nats(tmp_path / "small", changes=(("max_payload: 8MB", "max_payload: 1MB"),)) as server:
        assert "takes messages of 1048576 bytes at most" in await why(server.settings())
    with running_nats(tmp_path / "loose", changes=LOOSE) as server:
        assert await tried(server.settings()) == "publish to other fronts and hear what other fronts ask"


async def test_roles_may_be_known_by_tokens_that_nsc_signs(tmp_path: Path) -> None:
    operator, account = Key("O"), Key("A")
    unlimited = {"subs": -1, "data": -1, "payload": -1}
    limits = {**unlimited, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    preload = account.token(operator, "account", {"limits": limits})
    users = (
        f'operator: "{operator.token(operator, "operator", {})}"\nresolver: MEMORY\n'
        f'resolver_preload: {{ {account.public}: "{preload}" }}\n'
    )
    changes = (('include "passwords.conf"', ""), (NatsServer.authorization(), users))
    with running_nats(tmp_path / "nats", changes=changes) as server:
        files = {}
        for role, publish, subscribe in (("core", "front.>", "core.>"), ("front", "core.>", "front.>")):
            user = Key("U")
            token = user.token(
                account, "user", {"pub": {"allow": [publish]}, "sub": {"allow": [subscribe]}, **unlimited}
            )
            files[role] = tmp_path / f"{role}.creds"
            files[role].write_text(
                f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
            )
        known = server.settings(core_credentials=files["core"], front_credentials=files["front"])
        assert await tried(known) == ""
        text = files["front"].read_text()
        files["front"].write_text(text.replace("SEED-----\nSU", "SEED-----\n1"))
        assert "has no key that can be read" in await why(known)
        files["front"].write_text(
            text.partition("-----BEGIN USER")[0] + files["core"].read_text().partition("JWT------")[2]
        )
        assert "does not know the user in" in await why(known)


class Key:
    """A pair of keys, and the tokens that it is told by, as nsc makes them."""

    KINDS = {"O": 14 << 3, "A": 0, "U": 20 << 3}

    def __init__(self, kind: str) -> None:
        self._private = Ed25519PrivateKey.generate()
        number = self.KINDS[kind]
        public, seed = self._private.public_key().public_bytes_raw(), self._private.private_bytes_raw()
        self.public = _base32(bytes([number]) + public)
        seeds = 18 << 3
        self.seed = _base32(bytes([seeds | number >> 5, (number & 31) << 3]) + seed)

    def token(self, issuer: Key, kind: str, rules: dict[str, Any]) -> str:
        """A token for this key, signed by ``issuer``."""
        told = {**rules, "type": kind, "version": 2}
        claims = {"jti": "x", "iat": 1, "iss": issuer.public, "name": kind, "sub": self.public, "nats": told}
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_base64(issuer._private.sign(text.encode()))}"


def _base32(data: bytes) -> str:
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).decode().rstrip("=")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def test_a_server_is_believed_only_with_a_valid_certificate(tmp_path: Path) -> None:
    with running_nats(tmp_path / "nats", tls=True) as server:
        told = await why(server.settings(ca=None))
        assert "its certificate is not valid here (self-signed certificate); bus.ca names who signed it" in told
        empty = tmp_path / "empty.pem"
        empty.write_text("")
        assert "holds no certificate that can be read" in await why(server.settings(ca=empty))
    with running_nats(tmp_path / "other", tls=True, name="other.example") as server:
        assert "not valid for 'localhost'" in await why(server.settings())
