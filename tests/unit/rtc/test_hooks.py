"""One test per private attribute of aiortc and aioice that :mod:`streamer.rtc.aiortc_hooks` uses.

They fail when a new version of either library moves something, and say what.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
import time
from importlib.metadata import version

import aioice
import aioice.ice
import aiortc.codecs
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtcpSrPacket, RtpPacket

from streamer.control.ice_servers import IceServer
from streamer.rtc import aioice_hooks
from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.ice import IceBinding
from streamer.rtc.receiver import nack_packet
from streamer.rtc.reception import SenderClock
from streamer.rtc.sender import EncodedSender, ntp_time
from tests.fakes.peers import LOOPBACK, h264_frame, pair
from tests.fakes.ports import free_port
from tests.fakes.waiting import until


def now_us() -> int:
    return time.time_ns() // 1000


def test_the_versions_are_those_that_were_read() -> None:
    assert (version("aiortc"), version("aioice")) == ("1.16.0", "0.13.0")


# --- codecs ---


def test_main_and_high_are_in_the_table_once() -> None:
    hooks.install()
    hooks.install()
    rows = [
        (c.parameters["profile-level-id"], c.parameters["packetization-mode"])
        for c in aiortc.codecs.CODECS["video"]
        if c.name == "H264"
    ]
    assert len(rows) == len(set(rows))
    assert {("42001f", "1"), ("42e01f", "1"), ("4d001f", "1"), ("64001f", "1"), ("640c1f", "1")} <= set(rows)
    numbers = [c.payloadType for c in aiortc.codecs.CODECS["video"]]
    assert len(numbers) == len(set(numbers))
    assert max(numbers) < 128


async def test_an_offer_has_the_codecs_that_were_chosen() -> None:
    hooks.install()
    pc = hooks.new_peer(bundle=True)
    try:
        transceiver = pc.addTransceiver("video", "sendonly")
        hooks.offer_codecs(transceiver, [("H264", "42e01f")])
        sdp = (await pc.createOffer()).sdp
        assert [c.name for c in hooks.codecs_of(transceiver)] == ["H264", "rtx"]
        assert "VP8" not in sdp
    finally:
        await pc.close()


# --- peers ---


async def test_a_peer_has_no_server_that_was_not_given() -> None:
    bare, given = hooks.new_peer(), hooks.new_peer([IceServer("stun:192.0.2.1:3478")])
    try:
        bare.addTransceiver("audio")
        given.addTransceiver("audio")
        assert [t.transport._connection.stun_server for t in hooks.dtls_transports(bare)] == [None]
        assert [t.transport._connection.stun_server for t in hooks.dtls_transports(given)] == [("192.0.2.1", 3478)]
        # aiortc's own default is a public one: what new_peer is for.
        assert aiortc.RTCIceGatherer.getDefaultIceServers()
    finally:
        await bare.close()
        await given.close()


async def test_the_dtls_client_admits_rsa_certificates() -> None:
    pc = hooks.new_peer()
    try:
        pc.addTransceiver("audio")
        private = hooks.dtls_transports(pc)[0]._RTCDtlsTransport__local_certificate
        context = private._create_ssl_context(hooks.dtls_transports(pc)[0]._srtp_profiles)
        from OpenSSL import SSL

        ciphers = SSL.Connection(context, None).get_cipher_list()
        assert any(name.startswith("ECDHE-RSA") for name in ciphers)
        assert any(name.startswith("ECDHE-ECDSA") for name in ciphers)
    finally:
        await pc.close()


async def test_our_sender_and_receiver_are_what_the_peer_uses() -> None:
    async with pair() as joined:
        for transceiver in joined.sender_pc.getTransceivers():
            assert transceiver.sender is joined.senders[transceiver.kind]
        for transceiver in joined.receiver_pc.getTransceivers():
            assert transceiver.receiver is joined.receivers[transceiver.kind]


@pytest.mark.parametrize(("setup", "expected"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")])
async def test_the_dtls_role_is_ours_where_it_is_left_open(setup: str, expected: str) -> None:
    offering, answering = RTCPeerConnection(), hooks.new_peer()
    try:
        offering.addTransceiver("audio", "sendonly")
        sdp = (await offering.createOffer()).sdp.replace("a=setup:actpass", f"a=setup:{setup}")
        await answering.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        if setup == "actpass":
            hooks.answer_as_dtls_server(answering)
        assert f"a=setup:{expected}" in (await answering.createAnswer()).sdp
    finally:
        await offering.close()
        await answering.close()


# --- sockets ---


async def gathered(binding: IceBinding) -> tuple[RTCPeerConnection, list[aioice.Candidate]]:
    pc = hooks.new_peer(bundle=True)
    pc.addTransceiver("audio", "sendonly")
    hooks.bind(pc, binding)
    await pc.setLocalDescription(await pc.createOffer())
    return pc, hooks.dtls_transports(pc)[0].transport._connection.local_candidates


async def test_loopback_alone_is_bound_where_it_is_asked_for() -> None:
    pc, candidates = await gathered(LOOPBACK)
    try:
        assert [(c.host, c.type, c.component) for c in candidates] == [("127.0.0.1", "host", 1)]
        assert "a=candidate:" in pc.localDescription.sdp
    finally:
        await pc.close()


async def test_the_announced_address_stands_in_the_candidates_and_the_bound_one_does_not() -> None:
    pc, candidates = await gathered(IceBinding(addresses=("127.0.0.1",), announce=("203.0.113.7",)))
    try:
        assert [c.host for c in candidates] == ["203.0.113.7"]
        connection = hooks.dtls_transports(pc)[0].transport._connection
        assert connection._protocols[0].transport.get_extra_info("sockname")[0] == "127.0.0.1"
        assert "127.0.0.1" not in pc.localDescription.sdp
    finally:
        await pc.close()


async def test_ports_come_out_of_the_range_and_are_given_back() -> None:
    port = free_port(socket.SOCK_DGRAM)
    binding = IceBinding(addresses=("127.0.0.1",), port_min=port, port_max=port)
    for _ in range(2):
        pc, candidates = await gathered(binding)
        assert [c.port for c in candidates] == [port]
        other, none = await gathered(binding)
        assert none == []
        await other.close()
        await pc.close()


async def test_the_receive_buffer_is_what_was_asked_for_or_what_the_kernel_grants() -> None:
    pc, _ = await gathered(IceBinding(addresses=("127.0.0.1",), buffer_bytes=300_000))
    try:
        protocol = hooks.dtls_transports(pc)[0].transport._connection._protocols[0]
        granted = protocol.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            assert granted == aioice_hooks.size_buffers(other, 300_000)
    finally:
        await pc.close()


async def test_one_more_socket_can_be_opened_without_being_announced() -> None:
    pc, candidates = await gathered(LOOPBACK)
    try:
        before = len(candidates)
        await hooks.listen_too(pc, "127.0.0.2", LOOPBACK)
        await hooks.listen_too(pc, "127.0.0.2", LOOPBACK)
        connection = hooks.dtls_transports(pc)[0].transport._connection
        assert [p.local_candidate.host for p in connection._protocols] == ["127.0.0.1", "127.0.0.2"]
        assert len(connection.local_candidates) == before
    finally:
        await pc.close()


async def test_the_datagram_queue_is_bounded_and_its_end_fits() -> None:
    queue = aioice_hooks.DatagramQueue()
    for number in range(aioice_hooks.DATAGRAM_QUEUE_MAX + 10):
        queue.put_nowait(number)
    queue.put_nowait(None)
    assert queue.dropped == 11
    assert queue.qsize() == aioice_hooks.DATAGRAM_QUEUE_MAX


async def test_a_peer_with_addresses_without_end_is_checked_at_some_of_them() -> None:
    pc, _ = await gathered(LOOPBACK)
    try:
        connection = hooks.dtls_transports(pc)[0].transport._connection
        connection._early_checks_done = True
        connection.check_start_task = lambda pair: None
        message = aioice.stun.Message(aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST, attributes={"PRIORITY": 1})
        for port in range(1000, 1500):
            connection.check_incoming(message, ("127.0.0.1", port), connection._protocols[0])
        assert len(connection._remote_candidates) == aioice_hooks.MAX_REMOTE
        assert len(connection._check_list) == aioice_hooks.MAX_REMOTE
        assert connection.check_incoming.refused == 500 - aioice_hooks.MAX_REMOTE
        # A known one goes on being heard.
        connection.check_incoming(message, ("127.0.0.1", 1000), connection._protocols[0])
        assert connection.check_incoming.refused == 500 - aioice_hooks.MAX_REMOTE
    finally:
        await pc.close()


# --- packets ---


async def test_media_passes_by_the_queue() -> None:
    async with pair() as joined:
        dtls = hooks.dtls_transports(joined.receiver_pc)[0]
        for index in range(20):
            joined.senders["video"].push(h264_frame(5000, key=index == 0), now_us(), key=index == 0)
        await until(lambda: len(joined.of("video")) == 20)
        assert dtls.transport._connection._queue.qsize() == 0
        assert dtls.transport._connection.data_received.gate.refused_total == 0


async def test_garbage_from_the_network_is_counted_and_hurts_nobody() -> None:
    async with pair() as joined:
        tap = hooks.dtls_transports(joined.receiver_pc)[0].transport._connection.data_received
        for data in (b"", b"\x80", b"\x80\xc8", b"\x90" + bytes(40), b"\xff" * 10):
            tap(data, 1)
        assert tap.gate.refused_total >= 3
        joined.senders["video"].push(h264_frame(100, key=True), now_us())
        await until(lambda: joined.of("video"))


async def test_sender_reports_of_both_tracks_share_the_senders_clock() -> None:
    async with pair() as joined:
        sent_us: list[int] = []

        def both_are_known() -> bool:
            sent_us.append(now_us())
            joined.senders["video"].push(h264_frame(500, key=len(sent_us) == 1), sent_us[-1], key=len(sent_us) == 1)
            joined.senders["audio"].push(b"\xfc" + bytes(20), sent_us[-1])
            return all(joined.of(kind) and joined.of(kind)[-1].sender_us is not None for kind in ("video", "audio"))

        await until(both_are_known)
        for kind in ("video", "audio"):
            received = joined.of(kind)
            at_us = received[-1].sender_us
            assert at_us is not None
            assert abs(at_us - sent_us[len(received) - 1]) < 2000


async def test_a_pli_reaches_the_sender_at_most_every_fifth_of_a_second() -> None:
    async with pair() as joined:
        joined.senders["video"].push(h264_frame(100, key=True), now_us())
        await until(lambda: joined.of("video"))
        for _ in range(20):
            joined.receivers["video"].request_keyframe()
        await until(lambda: len(joined.keyframes_wanted) == 2)
        assert joined.receivers["video"].keyframes_wanted == 2


async def test_the_round_trip_is_measured_on_both_sides() -> None:
    async with pair() as joined:
        seconds = await hooks.round_trip(hooks.dtls_transports(joined.receiver_pc)[0])
        assert seconds is not None
        assert 0 < seconds < 1
        joined.senders["video"].push(h264_frame(100, key=True), now_us())
        await until(lambda: joined.senders["video"].last_report_at is not None)


async def test_an_estimated_bitrate_reaches_the_sender() -> None:
    async with pair() as joined:
        receiver, sender = joined.receivers["video"], joined.senders["video"]

        class Estimator:
            def add(self, **_: int) -> tuple[int, list[int]]:
                return 1_234_000, [sender._ssrc]

        receiver._estimator = Estimator()  # type: ignore[assignment]
        sender.push(h264_frame(100, key=True), now_us())
        await until(lambda: joined.bitrates)
        assert joined.bitrates[0] == pytest.approx(1_234_000, rel=0.001)


async def test_a_packet_is_not_sent_before_there_is_a_connection() -> None:
    pc = hooks.new_peer(bundle=True)
    try:
        transceiver = pc.addTransceiver("video", "sendonly")
        sender = EncodedSender.on(transceiver)
        assert not hooks.send(hooks.dtls_transports(pc)[0], b"\x80\x60" + bytes(20))
        assert not sender.push(h264_frame(10, key=True), now_us())
        assert await hooks.round_trip(hooks.dtls_transports(pc)[0]) is None
    finally:
        await pc.close()


async def test_nothing_is_left_after_closing() -> None:
    threads, tasks = set(threading.enumerate()), len(asyncio.all_tasks())
    async with pair() as joined:
        joined.senders["video"].push(h264_frame(100, key=True), now_us())
        await until(lambda: joined.of("video"))
        connections = [
            hooks.dtls_transports(pc)[0].transport._connection for pc in (joined.sender_pc, joined.receiver_pc)
        ]
        protocols = [p for c in connections for p in c._protocols]
        assert set(threading.enumerate()) <= threads
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    assert all(p.transport.is_closing() for p in protocols)
    assert all(not c._protocols for c in connections)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (aioice.ice.Connection, ["get_component_candidates", "data_received", "build_request", "sort_check_list"]),
        (aioice.ice.Connection, ["_pair_remote_candidate", "gather_candidates", "query_consent", "check_incoming"]),
        (aioice.ice, ["server_reflexive_candidate", "StunProtocol", "TransportPolicy"]),
        (aiortc.RTCDtlsTransport, ["_set_role", "_register_rtp_receiver", "_unregister_rtp_receiver"]),
        (aiortc.RTCDtlsTransport, ["_register_rtp_sender", "_unregister_rtp_sender"]),
    ],
)
def test_methods_that_are_called_or_replaced_are_there(owner: object, names: list[str]) -> None:
    assert all(callable(getattr(owner, name, None)) for name in names)


def test_signatures_that_are_replaced_have_not_changed() -> None:
    gather = inspect.signature(aioice.ice.Connection.get_component_candidates)
    assert list(gather.parameters) == ["self", "component", "addresses", "timeout"]
    assert list(inspect.signature(aioice.ice.Connection.data_received).parameters) == ["self", "data", "component"]


# --- what is sent ---


def test_a_nack_names_its_packets_across_the_wrap() -> None:
    from aiortc.rtp import RtcpPacket

    lost = [65_533, 65_534, 65_536, 65_560, 65_600]
    (packet,) = RtcpPacket.parse(nack_packet(1, 2, lost))
    assert [number % 65_536 for number in packet.lost] == [number % 65_536 for number in lost]  # type: ignore[union-attr]


def test_the_senders_clock_follows_reports_and_leaves_out_those_without_a_time() -> None:
    clock = SenderClock(90_000)
    clock.report(0, 5)
    assert clock.at(5) is None
    clock.report(ntp_time(1_795_534_280_000_000), 900_000)
    at = clock.at(990_000)
    assert at is not None
    assert abs(at - 1_795_534_281_000_000) < 3
    clock.report(ntp_time(1_795_534_281_004_000), 990_000)
    drifted = clock.at(990_000)
    assert drifted is not None
    assert abs(drifted - 1_795_534_281_001_000) < 3


def test_packets_have_the_fields_that_are_read() -> None:
    packet = RtpPacket(payload_type=96, marker=1, sequence_number=7, timestamp=9, ssrc=3, payload=b"x")
    assert packet.extensions.abs_send_time is None
    assert packet.padding_size == 0
    assert {"ssrc", "sender_info", "reports"} <= set(RtcpSrPacket.__dataclass_fields__)


async def test_what_the_sender_sends_before_our_end_is_ready_is_not_lost() -> None:
    async with pair() as joined:
        tap = hooks.dtls_transports(joined.receiver_pc)[0].transport._connection.data_received
        await until(lambda: tap._early is None)
        # As it was before the receivers were registered.
        tap._early = hooks.deque(maxlen=hooks.EARLY_MAX)
        joined.senders["video"].push(h264_frame(30_000, key=True), now_us())
        # The sender's first report may have come behind them.
        await until(lambda: len(tap._early or ()) >= joined.senders["video"].packets_sent)
        assert joined.units == []
        tap.flush()
        assert len(joined.of("video")) == 1
