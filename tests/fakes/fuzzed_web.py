"""Searches for inputs that break a parser of the web plane: pieces of valid ones, damaged. The same function with few
rounds is in the tests, with ten thousand in ``make soak``.

A parser may refuse with its own error. Anything else, an answer of 500 and above, an exception in the log, or a
parser that takes long is a find.
"""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp.test_utils import make_mocked_request
from multidict import MultiDict
from pydantic import ValidationError

from streamer.api.addresses import Proxies
from streamer.api.cookies import secret_of
from streamer.api.cursors import Cursors
from streamer.api.routes import ROUTES
from streamer.audience.identity import Identities
from streamer.conference.grants import secret_matches, split_token
from streamer.conference.hall_codes import meant_code
from streamer.delivery.hold import parse_directives
from streamer.errors import BadRequest
from streamer.household import household
from streamer.realtime.messages import Handshake
from streamer.realtime.packets import Malformed, parse
from streamer.realtime.service import TABLES
from streamer.schedules.detect import read_schedule
from streamer.schedules.reading import Unreadable
from tests.unit.schedules.test_read_anything import ICS, JSON, XML

LONGEST_S = 2.0
"""Of this thread's time, for one input of some kilobytes."""
MOST_KIB = 256 * 1024
"""That the process may grow by in a search."""

PIECES = (
    "", "\x00", "\x1f", "\x7f", "\ud800", "\udfff", "\ufeff", "\u202e", "é", "٣", "²", "𝟘", "😀", "-1", "-0", "+1",
    "0", "00", "1e999", "1.5", "9" * 40, "9" * 5000, "NaN", "Infinity", "null", "true", "[]", "{}", '"', "'", "\\",
    "\\u",
    "\\ud83d", ",", ";", "=", "&", "?", "/", "//", "..", "%", "%00", "%ff", "~", ".", ":", "::", "::1", "[", "]", "{",
    "}", "<", ">", "\r\n", "\n", "\t", " ", " " * 3000, "a" * 5000, "[" * 5000, '{"a":' * 2000, "(" * 500,
    "*", "\x1b[31m",
    "__proto__", "Bearer ", "bytes=", "0-", "2001:db8::1", "0x1F", "1_000", "99991231T235959", "0000-00-00",
)  # fmt: skip


def damaged(seed: str, dice: random.Random) -> str:
    text = seed
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        at, cut = dice.randint(0, len(text)), dice.choice((0, 0, 1, 2, 8, 30))
        if dice.random() < 0.2 and text:
            # A piece of itself, once more or elsewhere.
            start = dice.randrange(len(text))
            piece = text[start : start + dice.choice((1, 4, 40))] * dice.choice((1, 2, 50))
        elif dice.random() < 0.2:
            piece = "".join(
                chr(dice.choice((dice.randrange(128), dice.randrange(0x3000)))) for _ in range(dice.randint(1, 6))
            )
        else:
            piece = dice.choice(PIECES)
        text = (text[:at] + piece + text[at + cut :])[:60_000]
    return text


@dataclass
class Parser:
    """``read`` raises one of ``refusals`` for input that it refuses. ``corpus``: inputs that are always tried."""

    name: str
    seeds: Sequence[str]
    read: Callable[[str], Any]
    refusals: tuple[type[Exception], ...] = ()
    corpus: Sequence[str] = ()


@dataclass
class Finds:
    tried: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    """(what happened, the input)"""
    slow: list[tuple[float, str]] = field(default_factory=list)

    def assert_none(self) -> None:
        assert self.broken == [], self.broken[:3]
        assert self.slow == [], self.slow[:3]


def inputs(seeds: Sequence[str], corpus: Sequence[str], rounds: int, dice: random.Random) -> Iterator[str]:
    yield from seeds
    yield from corpus
    yield from PIECES
    for _ in range(rounds):
        yield damaged(dice.choice(seeds), dice)


def search(parser: Parser, rounds: int, dice: random.Random) -> Finds:
    finds, before_kib = Finds(), _peak_kib()
    for text in inputs(parser.seeds, parser.corpus, rounds, dice):
        began = time.thread_time()
        try:
            parser.read(text)
        except parser.refusals:
            pass
        except Exception as error:
            finds.broken.append((repr(error)[:300], text[:2000]))
        took_s = time.thread_time() - began
        if took_s > LONGEST_S:
            finds.slow.append((took_s, text[:2000]))
        finds.tried += 1
    grown_kib = _peak_kib() - before_kib
    if grown_kib > MOST_KIB:
        finds.broken.append((f"grew by {grown_kib} KiB", ""))
    return finds


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# --- what is parsed ---------------------------------------------------------------------------------


def _directives(text: str) -> None:
    parse_directives(MultiDict(parse_qsl(text, keep_blank_values=True)))


def _sent(text: str) -> str:
    """The text as a test's request sends it in a header."""
    return text.encode("utf-8", "replace").decode()


def _forwarded(text: str) -> None:
    request = make_mocked_request(
        "GET", "/", headers={"X-Forwarded-For": _sent(text), "X-Forwarded-Proto": _sent(text)}
    )
    proxies = Proxies(["127.0.0.1", "10.0.0.0/8", "::1"])
    assert proxies.client_household(request)
    proxies.is_https(request)


def _cookies(text: str) -> None:
    cookie = f"streamer_session={_sent(text)}; streamer_participant={_sent(text)}"
    request = make_mocked_request("GET", "/", headers={"Cookie": cookie})
    secret_of(request)
    for token in (request.cookies.get("streamer_participant", ""), text):
        Identities(b"k" * 32).read(token)


def _bearer(text: str) -> None:
    found = split_token(text)
    if found is not None:
        secret_matches(found[1], b"x" * 32)


def _schedule(text: str) -> None:
    read_schedule(text.encode("utf-8", "surrogatepass"), timezone="Europe/Paris", now_ms=1_790_000_000_000)


def _frame(text: str) -> None:
    packet = parse(text)
    for schema in (Handshake, *(command.schema for commands in TABLES.values() for command in commands)):
        data = packet.data[1] if isinstance(packet.data, list) and len(packet.data) > 1 else packet.data
        try:
            msgspec.convert({} if data is None else data, schema)
        except msgspec.ValidationError:
            continue


def _body(text: str) -> None:
    for model in {route.body for route in ROUTES if route.body is not None}:
        try:
            model.model_validate_json(text.encode("utf-8", "surrogatepass"))
        except ValidationError as error:
            error.errors(include_url=False, include_context=False, include_input=False)


BODIES: Mapping[str, Any] = {
    "venues": {"id": "v", "name": "V", "timezone": "Europe/Paris"},
    "rooms": {"id": "b", "name": "B", "start": "tap", "between": "slate", "aliases": ["x"], "languages": ["fr"]},
    "events": {"id": "e", "name": "E", "start": "2026-05-04T09:00:00Z", "end": "2026-05-05T09:00:00+02:00"},
    "sessions": {
        "room": "a", "title": "T", "start": "2026-05-04T09:00:00Z", "end": "2026-05-04T10:00:00Z",
        "speakers": ["Ada"], "tags": ["x"], "visibility": "private", "do_not_record": "ask",
    },
    "grants": {"role": "technician", "room": "a", "label": "Ana", "expires": "2030-01-01T00:00:00Z"},
    "rooms/a/hold": {"message": "Back soon", "until": "2026-05-04T10:00:00Z"},
    "rooms/a/captions": {"lang": "fr", "text": "Bonjour", "at": 1_790_000_000_000, "final": True},
    "imports": {"url": "http://192.0.2.1/x.xml", "event": "e"},
}  # fmt: skip
_IDENTITY = Identities(b"k" * 32).issue(1_790_000_000_000)[1]
_BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><schedule><conference><title>&lol9;</title></conference></schedule>"
)
_EXTERNAL = '<!DOCTYPE s [<!ENTITY % x SYSTEM "file:///dev/zero"> %x;]><schedule/>'

PARSERS = (
    Parser(
        "directives",
        ("_HLS_msn=12&_HLS_part=3&_HLS_skip=YES", "_HLS_msn=0", "dvr=1&_HLS_skip=v2"),
        _directives,
        (BadRequest,),
        ("_HLS_part=1", "_HLS_msn=1&_HLS_msn=2", "_HLS_msn=٣", "_HLS_msn=1e5", "_HLS_msn=-1", "_HLS_msn=" + "9" * 5000),
    ),
    Parser(
        "schedules",
        (XML.decode(), JSON.decode(), ICS.decode()),
        _schedule,
        (Unreadable,),
        (
            _BILLION_LAUGHS,
            _EXTERNAL,
            "<a>" * 20_000,
            "[" * 50_000,
            "BEGIN:VCALENDAR\n" + "BEGIN:VEVENT\n" * 4000,
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:00010101T000000\nRRULE:FREQ=SECONDLY\nEND:VEVENT\nEND:VCALENDAR",
            '{"schedule":{"conference":{"days":' + "9" * 5000 + "}}}",
            '{"schedule":{"conference":{"rooms":null,"days":null},"events":{"a":1}}}',
        ),
    ),
    Parser(
        "cookies", (_IDENTITY, "t." + "x" * 43, "x" * 43), _cookies, (), ("p.1.", "..", "a.²." + "A" * 22, "\x00.1.x")
    ),
    Parser(
        "bearers",
        ("abcdefghijkl.0123456789012345678901234567890123456789012",),
        _bearer,
        (),
        (".", "a.", ".b", "a.b.c"),
    ),
    Parser(
        "X-Forwarded-For",
        ("192.0.2.1, 10.0.0.1", "2001:db8::7", '"[2001:db8::7]:443", 10.1.1.1', "unknown, _hidden"),
        _forwarded,
        (),
        (
            ",",
            ",,,,",
            "10.0.0.1," * 3000,
            "::ffff:10.0.0.1",
            "fe80::1%eth0",
            "1.2.3.4:80",
            "[::1",
            "0x7f.1",
            "127.1",
            "٣.1.1.1",
        ),
    ),
    Parser("households", ("192.0.2.1", "2001:db8::7", "::ffff:192.0.2.1", "fe80::1%eth0"), household),
    Parser("hall codes", ("CD5H8K", "cd5-h8k"), meant_code),
    Parser(
        "frames of Socket.IO",
        (
            '42/audience,17["chat.send",{"text":"Hello \\ud83d\\ude00","media_at":1790000000000.5,"reply_to":null}]',
            '40/audience,{"room":"a","token":"a.b","name":"Ada","since":12}'[1:],
            '2/studio,1["session.extend",{"minutes":5,"room":"a"}]',
            '2/moderation,["question.merge",{"ids":["a","b"]}]',
            '2/audience,["poll.vote",{"id":"x","options":[0,1]}]',
            "1/audience,",
        ),
        _frame,
        (Malformed,),
        (
            "2",
            "2[]",
            '2/audience,["x",' + "[" * 20_000,
            "0/audience,{",
            "451-[]",
            '2["\\ud83d"]',
            "2[NaN]",
            "2" * 40,
            '2["a",1e400]',
        ),
    ),
    Parser(
        "JSON bodies",
        tuple(json.dumps(body) for body in BODIES.values()),
        _body,
        (),
        (
            "[" * 20_000,
            '{"a":' * 20_000,
            "\ufeff{}",
            "NaN",
            '{"id":1e400}',
            '{"start":"9999-99-99T99:99:99Z"}',
            '{"name":"\\ud800"}',
        ),
    ),
)


async def search_cursors(cursors: Cursors, rounds: int, dice: random.Random) -> Finds:
    """A cursor is good for the list that gave it, and is otherwise refused."""
    finds = Finds()
    good = await cursors.seal("sessions?limit=1", "1790000000000.abcdefghijkl")
    assert good is not None
    for text in inputs((good,), ("A", "=", "====", "A" * 5000, good + "=", good[:-1], good * 2), rounds, dice):
        for about in ("sessions?limit=1", text):
            try:
                await cursors.open(about, text)
                if (about, text.rstrip("=")) != ("sessions?limit=1", good):
                    finds.broken.append(("another cursor was taken", text))
            except BadRequest:
                pass
            except Exception as error:
                finds.broken.append((repr(error)[:300], text[:2000]))
        finds.tried += 1
    return finds


# --- the whole application --------------------------------------------------------------------------

PATHS = (
    "/api/v1/sessions?limit=1&cursor=abc&from=2026-05-04T09:00:00Z",
    "/api/v1/recordings?limit=1",
    "/api/v1/rooms/a",
    "/api/v1/sessions/abc?key=x",
    "/api/v1/questions?format=csv&session=x",
    "/api/v1/polls?room=a",
    "/api/v1/alarms?room=a",
    "/api/v1/me",
    "/api/v1/me/data",
    "/api/v1/audit?limit=5",
    "/api/v1/schedule-sources?event=e",
    "/api/v1/count?year=2026",
    "/live/a/index.m3u8?_HLS_msn=1&_HLS_part=0",
    "/live/a/b1/v720.m3u8?_HLS_msn=1",
    "/live/a/b1/k/v720/3.0.m4s",
    "/live/a/~key.mac/index.m3u8",
    "/live/a/~k/b1/k2/v720/init-1.mp4",
    "/live/a/still.jpg",
    "/replay/s/index.m3u8",
    "/replay/s/e/v720/1.m4s",
    "/replay/s/e/download.mp4",
    "/join/CD5H8K",
    "/join/CD5H8K/qr.svg",
    "/join/CD5H8K/poster",
    "/watch/a?t=8m20s&latency=lowest",
    "/embed/a",
    "/session/abc/key",
    "/studio/a",
    "/admin/x",
    "/schedule.xml?event=e&room=a",
    "/schedule.ics?session=x",
    "/streams/v2.json",
    "/oembed?url=http://x/watch/a&format=json",
    "/logos/" + "a" * 24 + ".png",
    "/assets/app.js",
    "/whep/a/public/" + "x" * 32,
    "/whip/a/main/" + "x" * 32,
    "/socket.io/?EIO=4&transport=polling&sid=x",
    "/socket.io/?EIO=4&transport=polling",
    "/watch/a/qr.svg",
    "/.well-known/security.txt",
    "/metrics",
)
HEADERS: Mapping[str, Sequence[str]] = {
    "Authorization": ("Bearer abcdefghijkl.0123456789012345678901234567890123456789012", "Basic QTpC"),
    "Cookie": (f"streamer_session=t.{'x' * 43}; streamer_participant={_IDENTITY}",),
    "X-Forwarded-For": ("192.0.2.1, 10.0.0.1",),
    "Range": ("bytes=0-99", "bytes=5-", "bytes=-5"),
    "If-None-Match": ('W/"abc", "def"',),
    "If-Range": ('"abc"',),
    "Accept-Encoding": ("gzip;q=0.5, br",),
    "Accept-Language": ("fr-CA, en;q=0.8",),
    "Origin": ("http://streamer.test",),
    "Content-Type": ("application/json", "application/sdp", "text/plain; charset=utf-8"),
    "Streamer-Participant": (_IDENTITY,),
}

Ask = Callable[[str, str, Mapping[str, str], bytes], Awaitable[int]]
"""(method, path, headers, body) -> status."""


def _as_path(text: str) -> str:
    """The text as a target that aiohttp's parser accepts; others are refused before there is a request."""
    return "".join(
        character
        if "!" <= character <= "~"
        else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )[:7000]


async def search_requests(ask: Ask, admin: Mapping[str, str], rounds: int, dice: random.Random) -> Finds:
    finds = Finds()

    async def attempt(method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        status = await ask(method, path, headers, body)
        finds.tried += 1
        # 503: nothing is on air, or the server is busy.
        if status >= 500 and status != 503:
            finds.broken.append((f"{status}", f"{method} {path} {dict(headers)} {body[:500]!r}"))

    for path in PATHS:
        await attempt("GET", path, {}, b"")
    for number in range(rounds):
        kind = number % 4
        method, headers, body = "GET", dict[str, str](), b""
        path = dice.choice(PATHS)
        if kind == 0:
            path = _as_path("/" + damaged(path[1:], dice))
        elif kind == 1:
            for name in dice.sample(list(HEADERS), 2):
                headers[name] = _as_header(damaged(dice.choice(HEADERS[name]), dice))
        elif kind == 2:
            name, value = dice.choice(list(BODIES.items()))
            method, path = "POST", f"/api/v1/{name}"
            headers = {**admin, "Content-Type": "application/json"}
            body = damaged(json.dumps(value), dice).encode("utf-8", "surrogatepass")
        else:
            method = dice.choice(("POST", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD"))
            path, _, query = path.partition("?")
            path = _as_path(path + "?" + damaged(query or "a=b", dice))
            headers["Content-Type"] = dice.choice(HEADERS["Content-Type"])
            body = damaged('{"a": 1}', dice).encode("utf-8", "surrogatepass")
        await attempt(method, path, headers, body)
    return finds


def _as_header(text: str) -> str:
    return "".join(character for character in text if " " <= character <= "~" or "\x80" <= character <= "ÿ")[:4000]
