"""Sources and who may feed them, over real peers on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from streamer.control.messages import Answer, Candidates, Offer
from streamer.errors import StreamerError
from streamer.room.duels import Duels
from streamer.room.publications import Publications
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.sender import EncodedSender
from streamer.settings import RoomSettings, Settings
from tests.fakes.peers import LOOPBACK, h264_frame
from tests.fakes.waiting import until
from tests.fakes.whip import KeepingSink, loopback_settings


class Camera:
    """A publisher that sends a frame when it is told to."""

    def __init__(self, publications: Publications, *, audio: bool = True, video: bool = True) -> None:
        self.publications = publications
        self.pc: RTCPeerConnection = hooks.new_peer(bundle=True)
        self.senders: dict[str, EncodedSender] = {}
        self.keyframes_wanted = 0
        self.answer: Answer | None = None
        for kind, wanted, codec in (("video", video, ("H264", "42e01f")), ("audio", audio, ("opus", ""))):
            if wanted:
                transceiver = self.pc.addTransceiver(kind, "sendonly")
                hooks.offer_codecs(transceiver, [codec])
                self.senders[kind] = EncodedSender.on(transceiver, on_keyframe_wanted=self._wanted)
        hooks.bind(self.pc, LOOPBACK)
        hooks.tap(self.pc)

    def _wanted(self) -> None:
        self.keyframes_wanted += 1

    async def sdp(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def publish(
        self, source: str = "main", grant: str = "g1", *, takeover: bool = False, sdp: str = ""
    ) -> Answer:
        offer = Offer("publish", sdp or await self.sdp(), source, grant=grant, takeover=takeover, client="camera")
        self.answer = await self.publications.offer(offer)
        await self.pc.setRemoteDescription(RTCSessionDescription(self.answer.sdp, "answer"))
        return self.answer

    async def connect(self, source: str = "main", grant: str = "g1", *, takeover: bool = False) -> Answer:
        answer = await self.publish(source, grant, takeover=takeover)
        await until(lambda: all(sender.ready for sender in self.senders.values()))
        return answer

    def send(self, *, key: bool = True, size: int = 500) -> None:
        at = time.time_ns() // 1000
        if "video" in self.senders:
            self.senders["video"].push(h264_frame(size, key=key), at, key=key)
        if "audio" in self.senders:
            self.senders["audio"].push(b"\xfcabc", at)


class Stage:
    def __init__(self, settings: Settings) -> None:
        self.sink = KeepingSink()
        self.publications = Publications(settings, self.sink)
        self.cameras: list[Camera] = []

    def camera(self, **options: bool) -> Camera:
        self.cameras.append(Camera(self.publications, **options))
        return self.cameras[-1]


@asynccontextmanager
async def stage(settings: Settings | None = None) -> AsyncIterator[Stage]:
    made = Stage(settings or loopback_settings())
    try:
        yield made
    finally:
        await made.publications.close()
        for camera in made.cameras:
            await camera.pc.close()


async def test_a_publication_feeds_its_source() -> None:
    async with stage() as s:
        camera = s.camera()
        await camera.connect()
        camera.send()
        await until(lambda: s.sink.of("video") and s.sink.of("audio"))
        status = s.publications.status()["main"]
        assert (status.up, status.connection, status.client) == (True, "connected", "camera")
        assert status.video is not None
        assert status.video.codec == "h264"
        assert s.sink.events == [("up", "main")]
        assert s.publications.count == 1


@pytest.mark.parametrize("only", ["audio", "video"])
async def test_sound_alone_or_picture_alone_is_welcome(only: str) -> None:
    async with stage() as s:
        camera = s.camera(audio=only == "audio", video=only == "video")
        await camera.connect()
        camera.send()
        await until(lambda: s.sink.of(only))
        missing = "video" if only == "audio" else "audio"
        assert s.publications.status()["main"].notes == [f"no_{missing}"]


async def test_an_offer_without_candidates_is_met_by_the_publishers_checks() -> None:
    async with stage() as s:
        camera = s.camera()
        lines = (await camera.sdp()).splitlines()
        bare = [line for line in lines if not line.startswith("a=candidate")]
        assert "a=end-of-candidates" in bare
        await camera.publish(sdp="\r\n".join(bare) + "\r\n")
        await until(lambda: ("up", "main") in s.sink.events)


async def test_a_telephone_turns_its_pictures_itself() -> None:
    """Chromium sends them as the sensor lies where its offer of this extension is accepted."""
    async with stage() as s:
        camera = s.camera()
        line = "a=extmap:9 urn:3gpp:video-orientation\r\n"
        sdp = (await camera.sdp()).replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{line}")
        assert line in sdp
        answer = await camera.publish(sdp=sdp)
        assert "video-orientation" not in answer.sdp


async def test_candidates_may_come_later() -> None:
    async with stage() as s:
        camera = s.camera()
        whole = await camera.sdp()
        bare = "\r\n".join(line for line in whole.splitlines() if "candidate" not in line) + "\r\n"
        fragment = "\r\n".join(line for line in whole.splitlines() if line.startswith(("a=candidate", "a=ice-ufrag")))
        answer = await s.publications.offer(Offer("publish", bare, grant="g1"))
        # The publisher learns nothing of where we are: only our checks can make the connection.
        silent = "\r\n".join(line for line in answer.sdp.splitlines() if "candidate" not in line) + "\r\n"
        await camera.pc.setRemoteDescription(RTCSessionDescription(silent, "answer"))
        await s.publications.candidates(Candidates(answer.resource, fragment, if_match=f'"{answer.etag}"'))
        await until(lambda: ("up", "main") in s.sink.events)


# --- occupied sources ---


async def refused(awaitable: object) -> StreamerError:
    with pytest.raises(StreamerError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


async def test_an_occupied_source_is_refused_to_another_grant() -> None:
    async with stage() as s:
        first = s.camera()
        await first.connect()
        first.send()
        await until(lambda: s.sink.units)
        error = await refused(s.camera().publish(grant="g2"))
        assert (error.code, error.status) == ("source_occupied", 409)
        first.send()
        await until(lambda: len(s.sink.of("video")) == 2)


async def test_a_source_that_is_still_connecting_is_occupied_too() -> None:
    async with stage() as s:
        await s.publications.offer(Offer("publish", await s.camera().sdp(), grant="g1"))
        error = await refused(s.camera().publish(grant="g2"))
        assert error.code == "source_occupied"


@pytest.mark.parametrize(("grant", "takeover"), [("g1", False), ("g2", True)])
async def test_the_same_grant_or_takeover_takes_its_place_and_nothing_late_comes_through(
    grant: str, takeover: bool
) -> None:
    async with stage() as s:
        first, second = s.camera(), s.camera()
        await first.connect()
        first.send(size=100)
        await until(lambda: s.sink.of("video"))
        await second.connect(grant=grant, takeover=takeover)
        first.send(size=101)
        second.send(size=200)
        await until(lambda: any(len(u.data) > 200 for u in s.sink.of("video")))
        assert {len(u.data) for u in s.sink.of("video")} == {len(h264_frame(n, key=True)) for n in (100, 200)}
        assert s.sink.events == [("up", "main"), ("up", "main")]
        assert s.publications.counters["takeovers_total"] == 1
        await until(lambda: first.pc.connectionState == "closed")


async def test_the_one_there_goes_on_until_the_new_one_is_connected() -> None:
    async with stage() as s:
        first, second = s.camera(), s.camera()
        await first.connect()
        await s.publications.offer(Offer("publish", await second.sdp(), grant="g1"))
        first.send()
        await until(lambda: s.sink.of("video"))
        assert s.publications.status()["main"].up


async def test_two_encoders_with_one_link_do_not_take_the_room_from_each_other_for_ever() -> None:
    """Both come back whenever they are thrown out, as OBS does."""

    def closed(camera: Camera) -> bool:
        return camera.pc.connectionState == "closed"

    async with stage() as s:
        feeding = s.camera()
        await feeding.connect()
        feeding.send()
        await until(lambda: s.sink.units)
        thrown_out = s.camera()
        for _ in range(2):
            await thrown_out.connect()
            thrown_out.send()
            await until(partial(closed, feeding))
            assert s.publications.duels == {}
            feeding, thrown_out = thrown_out, s.camera()
        for _ in range(3):
            error = await refused(thrown_out.publish())
            assert (error.code, error.status, error.headers["Retry-After"]) == ("publication_duel", 409, "30")
        assert list(s.publications.duels) == ["main"]
        assert feeding.pc.connectionState == "connected"
        assert s.publications.counters["takeovers_total"] == 2
        assert s.publications.counters["takeovers_refused_total"] == 3
        # A person decides.
        await thrown_out.connect(takeover=True)
        await until(partial(closed, feeding))
        assert (await refused(s.camera().publish())).code == "publication_duel"
        # The one that leaves has lost, and the next one may come.
        await s.publications.hangup(thrown_out.answer.resource if thrown_out.answer else "")
        assert s.publications.duels == {}
        await s.camera().connect()


async def test_an_encoder_that_restarts_again_and_again_fights_with_nobody() -> None:
    async with stage() as s:
        for _ in range(4):
            camera = s.camera()
            await camera.connect()
            camera.send()
            await until(lambda: s.publications.status()["main"].up)
            # It is killed: nothing is said, and no packet comes any more.
            s.publications._feeding["main"].silent_s = lambda: 2.5  # type: ignore[method-assign]
        assert s.publications.duels == {}
        assert s.publications.counters["takeovers_total"] == 3


def test_a_duel_is_three_takeovers_in_half_a_minute() -> None:
    duels, second = Duels(), 1_000_000_000
    for at in (0, 16, 32, 48):
        assert not duels.contested("main", at * second)
        duels.attempt("main", at * second, at * 1000)
    assert duels.ringing(48 * second) == {}
    assert duels.contested("main", 50 * second)
    assert not duels.contested("spare", 50 * second)
    duels.attempt("main", 50 * second, 50_000)
    assert duels.ringing(51 * second) == {"main": 50_000}
    # Further attempts make it last; a minute of quiet ends it.
    duels.attempt("main", 75 * second, 75_000)
    assert duels.contested("main", 79 * second)
    assert not duels.contested("main", 106 * second)
    assert duels.ringing(134 * second) == {"main": 50_000}
    assert duels.ringing(135 * second) == {}


async def test_a_source_silent_for_two_seconds_is_anybodys() -> None:
    async with stage() as s:
        first = s.camera()
        await first.connect()
        first.send()
        await until(lambda: s.sink.units)
        assert (await refused(s.camera().publish(grant="g2"))).code == "source_occupied"
        await until(lambda: s.publications._feeding["main"].silent_s() > 2)
        assert not s.publications.status()["main"].up
        second = s.camera()
        await second.connect(grant="g2")
        assert s.sink.events[-1] == ("up", "main")


async def test_other_sources_stand_beside_it_up_to_a_limit() -> None:
    settings = loopback_settings().model_copy(update={"room": RoomSettings(max_sources=2)})
    async with stage(settings) as s:
        await s.camera().connect("main")
        await s.camera().connect("spare")
        error = await refused(s.camera().publish("third"))
        assert (error.code, error.status) == ("too_many_publications", 503)
        assert "Retry-After" in error.headers
        assert set(s.publications.status()) == {"main", "spare"}


@pytest.mark.parametrize("name", ["", "slate", "Main", "a/b", "x" * 33, "é"])
async def test_a_source_needs_a_plain_name(name: str) -> None:
    async with stage() as s:
        assert (await refused(s.camera().publish(name))).code == "bad_source"


# --- ends ---


async def test_hanging_up_frees_the_source_at_once() -> None:
    async with stage() as s:
        answer = await s.camera().connect()
        assert s.publications.owns(answer.resource)
        await s.publications.hangup(answer.resource)
        assert s.sink.events == [("up", "main"), ("down", "main", "hung_up")]
        assert not s.publications.owns(answer.resource)
        assert (await refused(s.publications.hangup(answer.resource))).status == 404
        assert not s.publications.status()["main"].up
        await s.camera().connect(grant="g2")


async def test_a_publisher_that_closes_its_connection_is_gone_at_once() -> None:
    async with stage() as s:
        camera = s.camera()
        await camera.connect()
        camera.send()
        await until(lambda: s.sink.units)
        await camera.pc.close()
        await until(lambda: ("down", "main", "hung_up") in s.sink.events)


async def test_a_delete_after_the_connection_closed_ends_nothing_and_is_no_error() -> None:
    """whip-whep closes its connection first; a publisher that was thrown out deletes what was its own."""
    async with stage() as s:
        camera, other = s.camera(), s.camera()
        closed = await camera.connect()
        await camera.pc.close()
        await until(lambda: ("down", "main", "hung_up") in s.sink.events)
        thrown_out = await s.camera().connect()
        await other.connect(takeover=True)
        for answer in (closed, thrown_out):
            assert s.publications.owns(answer.resource)
            await s.publications.hangup(answer.resource)
            assert (await refused(s.publications.hangup(answer.resource))).status == 404
        assert s.publications.count == 1
        assert (await refused(s.publications.hangup("never"))).status == 404


async def test_a_publisher_that_never_connects_is_given_up() -> None:
    async with stage(loopback_settings(connect_timeout_s=0.5)) as s:
        await s.publications.offer(Offer("publish", await s.camera().sdp(), grant="g1"))
        await until(lambda: s.publications.count == 0)
        assert s.sink.events == []
        assert s.publications.counters["publications_failed_total"] == 1
        assert s.publications.status()["main"].connection == "failed"


async def test_a_publisher_that_falls_silent_is_closed_after_the_limit() -> None:
    async with stage(loopback_settings(silence_timeout_s=1.1)) as s:
        camera = s.camera()
        await camera.connect()
        camera.send()
        await until(lambda: ("down", "main", "silent") in s.sink.events)


async def test_closing_leaves_no_socket_task_or_thread() -> None:
    threads, tasks = set(threading.enumerate()), len(asyncio.all_tasks())
    async with stage() as s:
        await s.camera().connect("main")
        await s.publications.offer(Offer("publish", await s.camera().sdp(), "spare"))
        connections = [hooks.dtls_transports(p._pc)[0].transport._connection for p in s.publications._all() if p._pc]
        await s.publications.close()
        assert all(not connection._protocols for connection in connections)
        error = await refused(s.publications.offer(Offer("publish", await s.camera().sdp())))
        assert error.code == "room_closing"
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    assert set(threading.enumerate()) <= threads


# --- signalling errors ---


async def test_a_bad_offer_leaves_nothing_behind() -> None:
    async with stage() as s:
        error = await refused(s.publications.offer(Offer("publish", "v=0\r\n")))
        assert (error.code, error.status) == ("bad_offer", 400)
        sdp = (await s.camera().sdp()).replace("42e01f", "ffffff")
        error = await refused(s.publications.offer(Offer("publish", sdp)))
        assert error.code == "bad_offer"
        assert s.publications.count == 0
        await until(lambda: not s.publications._closing)


async def test_a_fragment_for_another_ice_session_is_412_and_a_restart_422() -> None:
    async with stage() as s:
        answer = await s.camera().connect()
        candidate = "a=candidate:1 1 udp 5 127.0.0.1 4000 typ host"

        async def patch(fragment: str, if_match: str | None = None) -> None:
            await s.publications.candidates(Candidates(answer.resource, fragment, if_match))

        for tag in (None, "*", answer.etag, f'"{answer.etag}"', f'W/"{answer.etag}"'):
            await patch(candidate, tag)
        error = await refused(patch(candidate, '"other"'))
        assert (error.code, error.status) == ("etag_mismatch", 412)
        error = await refused(patch("a=ice-ufrag:new1\r\na=ice-pwd:abcdefghijklmnopqrstuvwx", "*"))
        assert (error.code, error.status) == ("restart_unsupported", 422)
        error = await refused(patch("nonsense"))
        assert (error.code, error.status) == ("bad_fragment", 400)
        error = await refused(s.publications.candidates(Candidates("nobody", candidate)))
        assert (error.code, error.status) == ("no_such_resource", 404)


async def test_candidates_are_bounded() -> None:
    async with stage(loopback_settings(max_candidates=4)) as s:
        answer = await s.camera().connect()
        many = "\r\n".join(f"a=candidate:{n} 1 udp 5 127.0.0.1 {4000 + n} typ host" for n in range(5))
        error = await refused(s.publications.candidates(Candidates(answer.resource, many)))
        assert (error.code, error.status) == ("too_many_candidates", 429)


async def test_resources_cannot_be_guessed() -> None:
    async with stage() as s:
        resources = {(await s.camera().connect(name)).resource for name in ("main", "spare")}
        assert len(resources) == 2
        assert all(len(resource) >= 32 for resource in resources)


async def test_key_frames_are_asked_of_the_one_that_feeds() -> None:
    async with stage() as s:
        camera = s.camera()
        await camera.connect()
        camera.send()
        await until(lambda: s.sink.of("video"))
        s.publications.request_keyframe("main")
        s.publications.request_keyframe("nobody")
        await until(lambda: camera.keyframes_wanted == 1)
