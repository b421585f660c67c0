from __future__ import annotations

import pytest
from aiortc import RTCSessionDescription
from hypothesis import given
from hypothesis import strategies as st

from streamer.rtc import aiortc_hooks as hooks
from streamer.rtc.sdp import (
    MAX_SDP_BYTES,
    AnswerTuning,
    BadFragment,
    BadOffer,
    UnsupportedMedia,
    is_restart,
    read_candidate,
    read_fragment,
    read_offer,
    write_answer,
)

SESSION = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
TRANSPORT = [
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuvwx",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
    "a=rtcp-mux",
]
VIDEO = [
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
    "a=mid:0",
    "a=sendonly",
    *TRANSPORT,
    "a=rtpmap:96 VP8/90000",
    "a=rtpmap:97 H264/90000",
    "a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "a=rtpmap:98 rtx/90000",
    "a=fmtp:98 apt=97",
]
AUDIO = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:1", "a=sendonly", *TRANSPORT, "a=rtpmap:111 opus/48000/2"]


def offer(*sections: list[str], session: list[str] = SESSION) -> str:
    return "\r\n".join([*session, *(line for section in sections for line in section)]) + "\r\n"


def without(section: list[str], start: str) -> list[str]:
    return [line for line in section if not line.startswith(start)]


def test_an_ordinary_offer_is_understood() -> None:
    facts = read_offer(offer(VIDEO, AUDIO))
    assert [(m.kind, m.mid, m.codecs) for m in facts.media] == [
        ("video", "0", ("vp8", "h264")),
        ("audio", "1", ("opus",)),
    ]
    assert (facts.ufrag, facts.leaves_role_open, facts.candidates) == ("abcd", True, 0)


@pytest.mark.parametrize("text", ["", "nonsense", "v=0\r\n", "{}", offer(), "a" * (MAX_SDP_BYTES + 1)])
def test_what_is_no_offer_is_refused(text: str) -> None:
    with pytest.raises(BadOffer) as caught:
        read_offer(text)
    assert (caught.value.status, caught.value.code) == (400, "bad_offer")


@pytest.mark.parametrize("missing", ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=rtcp-mux"])
def test_an_offer_without_what_a_connection_needs_is_refused(missing: str) -> None:
    with pytest.raises(BadOffer):
        read_offer(offer(without(VIDEO, missing)))


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:2", *TRANSPORT], "kind"),
        (["m=video 0 UDP/TLS/RTP/SAVPF 96", *VIDEO[1:]], "rejected"),
        (["a=recvonly" if line == "a=sendonly" else line for line in VIDEO], "direction"),
        (["a=inactive" if line == "a=sendonly" else line for line in VIDEO], "direction"),
        (["m=video 9 RTP/AVP 96", *VIDEO[1:]], "profile"),
        ([*VIDEO[:3], *TRANSPORT, "a=rtpmap:96 AV1/90000", "a=rtpmap:97 VP9/90000"], "codec"),
    ],
)
def test_what_is_not_taken_refuses_the_whole_offer(section: list[str], reason: str) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        read_offer(offer(AUDIO, section))
    assert caught.value.code == "unsupported_media"
    assert caught.value.details["reason"] == reason


def test_two_pictures_are_one_too_many() -> None:
    with pytest.raises(UnsupportedMedia):
        read_offer(offer(VIDEO, VIDEO))


def test_a_bundle_only_section_is_not_a_rejected_one() -> None:
    section = ["m=audio 0 UDP/TLS/RTP/SAVPF 111", *AUDIO[1:], "a=bundle-only"]
    assert read_offer(offer(VIDEO, section)).of_kind("audio") is not None


def test_credentials_may_stand_in_the_session() -> None:
    bare = [line for line in VIDEO if line not in TRANSPORT[:4]]
    facts = read_offer(offer(bare, session=[*SESSION, *TRANSPORT[:4]]))
    assert facts.password == "abcdefghijklmnopqrstuvwx"


def test_a_player_offers_to_receive() -> None:
    section = ["a=recvonly" if line == "a=sendonly" else line for line in VIDEO]
    assert read_offer(offer(section), "play").media[0].direction == "recvonly"
    with pytest.raises(UnsupportedMedia):
        read_offer(offer(VIDEO), "play")


def test_a_retransmission_ssrc_without_a_line_gets_one() -> None:
    facts = read_offer(offer([*VIDEO, "a=ssrc-group:FID 11 22", "a=ssrc:11 cname:x"]))
    assert "a=ssrc:22 cname:streamer" in facts.sdp
    assert facts.sdp.count("a=ssrc:11 ") == 1
    assert facts.media[0].rtx_of == {22: 11}


def test_the_end_of_candidates_names_and_tcp_are_kept_from_aiortc() -> None:
    facts = read_offer(
        offer(
            [
                *VIDEO,
                "a=candidate:1 1 udp 1 6f6c2ea2-0000-4000-8000-000000000000.local 5000 typ host",
                "a=candidate:2 1 tcp 1 192.0.2.7 9 typ host tcptype active",
                "a=candidate:3 1 udp 1 192.0.2.7 5000 typ host generation 0",
                "a=candidate:garbage",
                "a=end-of-candidates",
            ]
        )
    )
    assert [line for line in facts.sdp.splitlines() if "candidate" in line] == [
        "a=candidate:3 1 udp 1 192.0.2.7 5000 typ host generation 0"
    ]
    assert facts.candidates == 1


def test_candidates_are_bounded() -> None:
    many = [f"a=candidate:{i} 1 udp 1 192.0.2.7 {5000 + i} typ host" for i in range(100)]
    facts = read_offer(offer([*VIDEO, *many]), max_candidates=10)
    assert facts.sdp.count("a=candidate:") == 10


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, offer(VIDEO) + text, offer([*VIDEO, "a=" + text.replace("\n", "")])):
        try:
            read_offer(whole)
        except (BadOffer, UnsupportedMedia):
            continue


async def test_aiortc_answers_and_the_answer_asks_for_what_browsers_need() -> None:
    hooks.install()
    pc = hooks.new_peer()
    try:
        await pc.setRemoteDescription(RTCSessionDescription(read_offer(offer(VIDEO, AUDIO)).sdp, "offer"))
        hooks.answer_as_dtls_server(pc)
        raw = (await pc.createAnswer()).sdp
    finally:
        await pc.close()
    answer = write_answer(raw, AnswerTuning(video_start_kbps=2000, opus_kbps=96)).splitlines()
    h264 = next(line for line in answer if line.startswith("a=fmtp:97 "))
    assert "profile-level-id=42e02a" in h264
    assert "x-google-start-bitrate=2000" in h264
    assert any(line.startswith("a=fmtp:96 ") and "x-google-start-bitrate" in line for line in answer)
    opus = next(line for line in answer if line.startswith("a=fmtp:111 "))
    for wanted in ("stereo=1", "sprop-stereo=1", "useinbandfec=1", "maxaveragebitrate=96000"):
        assert wanted in opus.split(" ", 1)[1].split(";")
    assert "a=fmtp:98 apt=97" in answer
    assert answer.count("a=setup:passive") == 2
    assert answer.count("a=rtcp-mux-only") == 2
    assert not any(line.startswith(("a=ssrc", "a=fingerprint:sha-5", "a=fingerprint:sha-384")) for line in answer)


def test_a_level_stays_where_the_offer_does_not_let_it_differ() -> None:
    text = "v=0\r\nm=video 9 X 97\r\na=recvonly\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 profile-level-id=42e01f\r\n"
    assert "profile-level-id=42e01f" in write_answer(text)


# --- fragments ---


def test_the_same_candidate_under_every_mid_is_one() -> None:
    fragment = read_fragment(
        "a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n"
        "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 0 udp 5 192.0.2.9 4000 typ host\r\n"
        "m=video 9 RTP/AVP 0\r\na=mid:1\r\na=candidate:1 0 udp 5 192.0.2.9 4000 typ host\r\na=end-of-candidates\r\n"
    )
    assert [(c.ip, c.port, c.component) for c in fragment.candidates] == [("192.0.2.9", 4000, 1)]
    assert fragment.end
    assert (fragment.ufrag, fragment.password) == ("abcd", "secret")


def test_a_fragment_needs_no_mid_and_no_prefix() -> None:
    fragment = read_fragment("candidate:1 1 UDP 5 2001:db8::1 4000 typ srflx raddr 10.0.0.1 rport 9\n")
    assert fragment.candidates[0].ip == "2001:db8::1"


@pytest.mark.parametrize("text", ["", "m=audio 9 RTP/AVP 0", "hello", "x" * (MAX_SDP_BYTES + 1)])
def test_what_is_no_fragment_is_refused(text: str) -> None:
    with pytest.raises(BadFragment) as caught:
        read_fragment(text)
    assert (caught.value.status, caught.value.code) == (400, "bad_fragment")


@given(st.text(max_size=200))
def test_any_candidate_is_read_or_passed_over(text: str) -> None:
    candidate = read_candidate(text)
    assert candidate is None or candidate.component == 1


def test_new_credentials_are_a_restart_and_nothing_else_is() -> None:
    plain = read_fragment("a=candidate:1 1 udp 5 192.0.2.9 4000 typ host")
    same = read_fragment("a=ice-ufrag:abcd\na=ice-pwd:pw")
    fresh = read_fragment("a=ice-ufrag:efgh\na=ice-pwd:other")
    assert [is_restart(f, "abcd", "pw") for f in (plain, same, fresh)] == [False, False, True]
