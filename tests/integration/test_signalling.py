"""WHIP against a real room: who takes over from whom, what a resource answers, and what ends a publication."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from multidict import CIMultiDict

from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import LOOPBACK, IceBinding
from tests.fakes.publishing import tiny_camera
from tests.fakes.running import Running
from tests.fakes.waiting import until, until_answered, until_answered_within

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

FRAGMENT = "application/trickle-ice-sdpfrag"


async def offer() -> str:
    """A real offer to send, with candidates, by a peer that is closed at once."""
    pc = hooks.new_peer(bundle=True)
    try:
        pc.addTransceiver("audio", "sendonly")
        pc.addTransceiver("video", "sendonly")
        hooks.bind(pc, IceBinding(addresses=(LOOPBACK,)))
        await pc.setLocalDescription(await pc.createOffer())
        return str(pc.localDescription.sdp)
    finally:
        await pc.close()


@dataclass
class Answered:
    status: int
    text: str
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    code: str = ""


async def ask(
    server: Running, method: str, path: str, body: str | None = None, *, token: str = "", kind: str = "", **headers: str
) -> Answered:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if kind:
        sent["Content-Type"] = kind
    data = None if body is None else body.encode()
    async with server.session.request(method, f"{server.url}{path}", data=data, headers=sent) as response:
        text = await response.text()
        code = ""
        if response.status >= 400 and response.content_type == "application/json":
            code = (await response.json())["error"]["code"]
        return Answered(response.status, text, CIMultiDict(response.headers), code)


async def post(server: Running, room: str, token: str, *, query: str = "", sdp: str | None = None) -> Answered:
    return await ask(server, "POST", f"/whip/{room}{query}", sdp or await offer(), token=token, kind="application/sdp")


async def another_grant(server: Running, room: str) -> dict[str, Any]:
    grant = await server.api("POST", "/grants", {"role": "technician", "room": room}, status=201)
    assert isinstance(grant, dict)
    return grant


async def test_a_publication_is_answered_as_rfc_9725_wants(server: Running) -> None:
    token = await server.room("rfc", start="auto")
    answer = await post(server, "rfc", token)
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/sdp"
    location = answer.headers["Location"]
    assert location.startswith("/whip/rfc/main/")
    assert "?" not in location
    assert len(location.rpartition("/")[2]) >= 22
    etag = answer.headers["ETag"]
    assert etag.startswith('"')
    assert answer.text.startswith("v=0")
    assert "a=candidate:" in answer.text
    assert " 127.0.0.1 " in answer.text
    assert "a=rtcp-mux" in answer.text

    ufrag = next(line for line in (await offer()).splitlines() if line.startswith("a=ice-ufrag:"))
    candidate = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
    for if_match in ({}, {"If_Match": etag}, {"If_Match": "*"}, {"ETag": etag}):
        assert (await ask(server, "PATCH", location, candidate, kind=FRAGMENT, **if_match)).status == 204
    refused = await ask(server, "PATCH", location, candidate, kind=FRAGMENT, If_Match='"another"')
    assert (refused.status, refused.code) == (412, "etag_mismatch")
    restart = f"{ufrag}\r\na=ice-pwd:0123456789012345678901234567\r\n" + candidate
    assert (await ask(server, "PATCH", location, restart, kind=FRAGMENT, If_Match=etag)).status in (200, 422)
    assert (await ask(server, "PATCH", location, candidate, kind="text/plain")).status == 415
    assert (await ask(server, "PATCH", location, "nonsense", kind=FRAGMENT)).status in (204, 400)
    options = await ask(server, "OPTIONS", location)
    assert options.status in (200, 204)
    assert options.headers["Accept-Patch"] == FRAGMENT
    assert (await ask(server, "DELETE", location)).status == 200
    assert (await ask(server, "DELETE", location)).status == 404
    assert (await ask(server, "PATCH", location, candidate, kind=FRAGMENT)).status == 404


async def test_what_is_no_offer_is_refused_with_a_code_and_opens_no_room(server: Running) -> None:
    token = await server.room("closed", start="auto")
    other = await server.room("elsewhere", start="auto")
    good = await offer()
    cases = [
        ("", good, "", (401, "unauthorized")),
        ("", good, "nonsense", (401, "invalid_token")),
        ("", good, other, (403, "out_of_scope")),
        ("", "v=0\r\n", token, (400, "bad_offer")),
        ("", "", token, (400, "bad_offer")),
        ("/Not%20a%20name", good, token, (400, "bad_source")),
    ]
    for query, sdp, given, expected in cases:
        answer = await ask(server, "POST", f"/whip/closed{query}", sdp, token=given, kind="application/sdp")
        assert (answer.status, answer.code) == expected
    wrong_type = await ask(server, "POST", "/whip/closed", good, token=token, kind="text/plain")
    assert wrong_type.status == 415
    assert wrong_type.headers["Accept-Post"] == "application/sdp"
    assert not (server.data / "run" / "room-closed.pid").exists()
    # An offer that only the room can judge is refused too, and the room goes on.
    broken = good.replace("a=setup:actpass", "a=setup:holdconn")
    assert (await post(server, "closed", token, sdp=broken)).status in (400, 422)
    only_av1 = "\r\n".join(line for line in good.splitlines() if not line.startswith(("a=rtpmap:", "a=fmtp:")))
    assert (await post(server, "closed", token, sdp=only_av1.replace("\r\n\r\n", "\r\n") + "\r\n")).status in (
        400,
        406,
        422,
    )
    async with tiny_camera(server, "closed"):
        await server.wait_state("closed", "live")


async def test_who_may_take_over(server: Running) -> None:
    token = await server.room("desk", start="auto")
    stranger = (await another_grant(server, "desk"))["token"]
    async with tiny_camera(server, "desk") as source:
        await server.wait_state("desk", "live")
        refused = await post(server, "desk", stranger)
        assert (refused.status, refused.code) == (409, "source_occupied")
        # The same grant may, and until its media comes the one there goes on.
        for by, query in ((token, ""), (stranger, "?takeover=1")):
            answer = await post(server, "desk", by, query=query)
            assert answer.status == 201, answer.text
            assert (await ask(server, "DELETE", answer.headers["Location"])).status == 200
        assert (await server.state("desk"))["state"] == "live"
        source.fall_silent()
        # A busy machine may have kept its last packets back for a while before.
        last_ms = (await server.state("desk"))["sources"]["main"]["last_packet_ms"]

        async def admitted() -> bool:
            answer = await post(server, "desk", stranger)
            if answer.status != 201:
                assert answer.status == 409
                return False
            assert (await ask(server, "DELETE", answer.headers["Location"])).status == 200
            return True

        await until_answered_within(4.0, admitted)
        assert time.time() * 1000 - last_ms > 1800


async def test_a_takeover_moves_the_programme_to_the_new_camera(server: Running) -> None:
    await server.room("swap", start="auto")
    stranger = (await another_grant(server, "swap"))["token"]
    async with tiny_camera(server, "swap") as old:
        await server.wait_state("swap", "live")
        async with tiny_camera(server, "swap", token=stranger, takeover=True, width=240):

            async def narrow() -> bool:
                main = (await server.state("swap"))["sources"]["main"]
                # Its sound may come before its picture.
                return bool(main["up"]) and main["video"] is not None and main["video"]["width"] == 240

            await until_answered(narrow)
            await until(lambda: not old.publisher.state.connected)
            await server.wait_state("swap", "live")
            old._stop.set()


async def test_a_revoked_grant_is_cut_within_a_second(server: Running) -> None:
    await server.room("badge", start="auto")
    grant = await another_grant(server, "badge")
    async with tiny_camera(server, "badge", token=grant["token"]) as source:
        await server.wait_state("badge", "live")
        await server.api("DELETE", f"/grants/{grant['id']}", status=204)

        async def down() -> bool:
            return not (await server.state("badge"))["sources"]["main"]["up"]

        await until_answered_within(1.0, down)
        await server.wait_state("badge", "slate")
        await until(lambda: "401" in source.publisher.state.last_error)
        refused = await post(server, "badge", grant["token"])
        assert (refused.status, refused.code) == (401, "invalid_token")


async def test_a_plain_aiortc_client_publishes(server: Running) -> None:
    """aiortc as it comes, encoder and all, without anything of ours on the sending side."""
    token = await server.room("plain", start="auto")
    from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

    pc = RTCPeerConnection()
    try:
        pc.addTrack(VideoStreamTrack())
        pc.addTrack(AudioStreamTrack())
        hooks.bind(pc, IceBinding(addresses=(LOOPBACK,)))
        await pc.setLocalDescription(await pc.createOffer())
        answer = await post(server, "plain", token, sdp=pc.localDescription.sdp)
        assert answer.status == 201, answer.text
        await pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        state = await server.wait_state("plain", "live")
        assert state["sources"]["main"]["up"]
        assert (await ask(server, "DELETE", answer.headers["Location"])).status == 200
        await server.wait_state("plain", "slate")
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await pc.close()
