"""Captions typed while a talk is on air, read from the WebVTT of the live output and of the replay."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.fakes.attendees import Attendee
from tests.fakes.captions import Shown, read_vtt
from tests.fakes.hls_playlist import parse_media
from tests.fakes.hls_rules import check_captions
from tests.fakes.publishing import tiny_camera
from tests.fakes.replaying import Player
from tests.fakes.running import Running
from tests.fakes.shared import TOP
from tests.fakes.waiting import until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ROOM = "captioned"


def moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


async def fetch(server: Running, address: str) -> bytes:
    async with server.session.get(address) as response:
        assert response.status == 200, (address, await response.text())
        return await response.read()


async def cues_of(server: Running, playlist: str) -> dict[str, tuple[int, Shown]]:
    """By text: the media time at which a cue begins, by the PROGRAM-DATE-TIME of the segment that has it."""
    listed = parse_media((await fetch(server, playlist)).decode())
    found: dict[str, tuple[int, Shown]] = {}
    for segment in listed.segments:
        for cue in read_vtt(await fetch(server, urljoin(playlist, segment.uri))):
            assert segment.pdt_ms is not None
            found.setdefault(cue.text, (segment.pdt_ms, cue))
    return found


async def test_what_is_typed_is_read_live_and_in_the_replay(server: Running) -> None:
    await server.room(ROOM, caption_languages=["fr", "en"])
    captioner = await server.api("POST", "/grants", {"role": "captioner", "room": ROOM, "label": "T"}, status=201)

    async def write(text: str, at_ms: int | None = None, **more: Any) -> dict[str, Any]:
        body = {"lang": "fr", "text": text, "final": True, **more} | ({} if at_ms is None else {"at": at_ms})
        headers = {"Authorization": f"Bearer {captioner['token']}"}
        address = f"{server.url}/api/v1/rooms/{ROOM}/captions"
        async with server.session.post(address, json=body, headers=headers) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    now = time.time_ns() // 1_000_000
    plan = {"room": ROOM, "title": "Été", "start": moment(now), "end": moment(now + 3_600_000)}
    session = await server.api("POST", "/sessions", plan, status=201)
    async with tiny_camera(server, ROOM):

        async def comes_in() -> bool:
            return bool((await server.state(ROOM))["sources"].get("main", {}).get("up"))

        await until_answered(comes_in)
        await server.api("POST", f"/sessions/{session['id']}/start", {}, status=200)
        await server.wait_state(ROOM, "live")
        master = f"{server.url}/live/{ROOM}/index.m3u8"
        text = (await fetch(server, master)).decode()
        assert text.count("TYPE=SUBTITLES") == 2
        captions = urljoin(master, next(p for p in text.split('"') if "captions-fr.m3u8" in p))
        pictures = captions.replace("captions-fr", TOP)

        viewer = Attendee("/audience")
        await viewer.connect(server.url, {"room": ROOM}, ["websocket"], {})

        # "hello" is heard at the edge of what is whole, and typed a moment later.
        whole = parse_media((await fetch(server, captions)).decode())
        # A segment may be short where the session began.
        said_ms = (whole.segments[-1].pdt_ms or 0) + min(500, round(float(whole.segments[-1].duration) * 500))
        assert (await write("Bonj", said_ms, final=False))["final"] is False
        # A reader that has not had it yet is told the newer words alone.
        await viewer.told("caption")
        first = await write("Bonjour à toutes et à tous.", said_ms + 900)
        assert datetime.fromisoformat(first["at"]).timestamp() * 1000 == pytest.approx(said_ms, abs=0.5), (
            "the line's first letters tell its time"
        )
        second = await write("Deuxième lgne.")
        await viewer.told("caption", lambda data: data["id"] == second["id"])
        told = [(event["data"]["text"], event["data"]["final"]) for event in viewer.of("caption")]
        assert told == [("Bonj", False), ("Bonjour à toutes et à tous.", True), ("Deuxième lgne.", True)]
        assert viewer.of("caption")[0]["media_at"] == said_ms

        async def shown() -> bool:
            return "Deuxième lgne." in await cues_of(server, captions)

        await until_answered(shown)
        await write("Deuxième ligne.", id=second["id"])
        live = await cues_of(server, captions)
        beside = parse_media((await fetch(server, pictures)).decode())
        mine = parse_media((await fetch(server, captions)).decode())
        # The pictures' playlist was asked for first: it may be a segment behind.
        mine.segments = [s for s in mine.segments if (b := beside.segment(s.msn)) is not None and b.complete]
        assert not check_captions(mine, beside)
        assert list(live) == ["Bonjour à toutes et à tous.", "Deuxième lgne."], "what is listed stays as it was"
        assert live["Bonjour à toutes et à tous."][0] > said_ms, "it came too late for the segment of its time"

        await viewer.close()
        assert viewer.faults == []
        await server.api("POST", f"/sessions/{session['id']}/end", {}, status=200)
        player = Player(server.session, f"{server.url}/replay/{session['id']}/index.m3u8")

        async def complete() -> bool:
            player.renditions, player.playlists = {}, {}
            try:
                await player.open()
                await player.reload()
            except AssertionError:
                return False
            return all(p.ended for p in player.playlists.values())

        await until_answered(complete)
    assert {"captions-fr", "captions-en"} <= set(player.renditions)
    replay = await cues_of(server, player.renditions["captions-fr"])
    assert list(replay) == ["Bonjour à toutes et à tous.", "Deuxième ligne."]
    pdt_ms, cue = replay["Bonjour à toutes et à tous."]
    segment = next(s for s in player.playlists["captions-fr"].segments if s.pdt_ms == pdt_ms)
    assert pdt_ms <= said_ms < pdt_ms + round(float(segment.duration) * 1000)
    # On the clock of the live output and of the replay, which is the same.
    apart = live["Bonjour à toutes et à tous."][1].begin - cue.begin
    assert 0 < apart < 8
    assert not await cues_of(server, player.renditions["captions-en"])
    timeline = await server.api("GET", f"/sessions/{session['id']}/timeline?kinds=captions", status=200)
    assert {lang: [line["text"] for line in lines] for lang, lines in timeline["captions"].items()} == {
        "fr": list(replay)
    }
    assert timeline["captions"]["fr"][0]["media_at"] == said_ms
    recording = await server.api("GET", f"/recordings/{session['id']}")
    movie = await fetch(server, recording["download_url"])
    assert "Deuxième ligne.".encode() in movie
    assert b"tx3g" in movie
