"""Offers, answers and trickle fragments as text. Pure functions.

An offer is parsed leniently and checked strictly (:func:`read_offer`); parts that aiortc cannot read are corrected.
Answers are aiortc's with additions for real publishers (:func:`write_answer`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from streamer.errors import BadRequest, Unprocessable

MAX_SDP_BYTES = 64 * 1024
MAX_MEDIA = 8
USABLE = {"video": ("h264", "vp8"), "audio": ("opus", "g722", "pcmu", "pcma")}
"""Codecs that the room takes, best first."""
LEVEL_4_2 = 0x2A
"""The highest level that is announced: 1080p60."""
STATIC_PAYLOADS = {0: ("pcmu", 8000), 8: ("pcma", 8000), 9: ("g722", 8000)}

Purpose = Literal["publish", "play"]
WANTED_DIRECTIONS = {"publish": ("sendonly", "sendrecv"), "play": ("recvonly", "sendrecv")}


class BadOffer(BadRequest):
    code = "bad_offer"


class UnsupportedMedia(Unprocessable):
    """The offer is well formed but asks for unsupported things. ``details.reason`` names them."""

    code = "unsupported_media"


class BadFragment(BadRequest):
    code = "bad_fragment"


class RestartUnsupported(Unprocessable):
    """ "A WHIP session that does not support ICE restarts" answers 422 (RFC 9725, section 4.3.3)."""

    code = "restart_unsupported"


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One m= section."""

    kind: str
    mid: str
    direction: str
    setup: str
    codecs: tuple[str, ...]
    """In the offer's order, lower case, without rtx and error correction."""
    rtx_of: dict[int, int] = field(default_factory=dict)
    """Retransmission SSRC -> the SSRC it repairs (``ssrc-group:FID``)."""


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """A checked offer. ``sdp`` is the text for aiortc, without the parts that aiortc cannot read."""

    sdp: str
    media: tuple[OfferedMedia, ...]
    ufrag: str
    password: str
    candidates: int

    @property
    def leaves_role_open(self) -> bool:
        return any(m.setup == "actpass" for m in self.media)

    def of_kind(self, kind: str) -> OfferedMedia | None:
        return next((m for m in self.media if m.kind == kind), None)


@dataclass(frozen=True, slots=True)
class AnswerTuning:
    """The answer's wishes for the publisher's encoders, kbit/s."""

    video_start_kbps: int = 2500
    video_min_kbps: int = 300
    video_max_kbps: int = 8000
    opus_kbps: int = 128


@dataclass(frozen=True, slots=True)
class TrickleFragment:
    """A trickle-ICE SDP fragment (RFC 8840): one transport's candidates, each once."""

    ufrag: str | None
    password: str | None
    candidates: tuple[RTCIceCandidate, ...]
    end: bool


# --- offers -------------------------------------------------------------------------------------------


def read_offer(text: str, purpose: Purpose = "publish", *, max_candidates: int = 64) -> OfferFacts:
    """Check an offer. Raises :class:`BadOffer` (400) or :class:`UnsupportedMedia` (422)."""
    if len(text.encode()) > MAX_SDP_BYTES:
        raise BadOffer(f"An offer holds at most {MAX_SDP_BYTES} bytes.", details={"reason": "too_large"})
    session, sections = _sections(text)
    if not session or not session[0].startswith("v=0"):
        raise BadOffer("This is no session description.", details={"reason": "not_sdp"})
    if not sections:
        raise BadOffer("The offer has no media.", details={"reason": "no_media"})
    if len(sections) > MAX_MEDIA:
        raise UnsupportedMedia("The offer has too many media sections.", details={"reason": "too_many_tracks"})

    left = max_candidates
    media: list[OfferedMedia] = []
    cleaned: list[str] = _drop(session, ("a=candidate:", "a=end-of-candidates"))
    transports: set[tuple[str, str]] = set()
    for index, section in enumerate(sections):
        facts = _check_section(index, session, section, purpose)
        if any(m.kind == facts.kind for m in media):
            raise UnsupportedMedia(
                f"One {facts.kind} track is accepted, the offer has more.", details={"reason": "too_many_tracks"}
            )
        media.append(facts)
        transports.add((_need(session, section, "ice-ufrag", index), _need(session, section, "ice-pwd", index)))
        lines, taken = _clean_section(index, section, left)
        left -= taken
        cleaned += lines
    first = _need(session, sections[0], "ice-ufrag", 0), _need(session, sections[0], "ice-pwd", 0)
    if len(transports) > 1 and not any(line.startswith("a=group:BUNDLE") for line in session):
        raise BadOffer("The media sections must be bundled.", details={"reason": "not_bundled"})
    return OfferFacts(
        sdp="\r\n".join(cleaned) + "\r\n",
        media=tuple(media),
        ufrag=first[0],
        password=first[1],
        candidates=max_candidates - left,
    )


def _check_section(index: int, session: list[str], section: list[str], purpose: Purpose) -> OfferedMedia:
    match = re.fullmatch(r"m=(\S+) ([0-9]{1,5})(?:/[0-9]+)? (\S+) (.+)", section[0])
    if match is None:
        raise BadOffer("A media line cannot be read.", details={"reason": "media_line", "index": index})
    kind, port = match[1], int(match[2])
    if kind not in USABLE:
        raise UnsupportedMedia(
            f"Media of kind {kind[:20]!r} is not accepted; offer audio and video only.",
            details={"reason": "kind", "index": index, "kind": kind[:20]},
        )
    # RFC 8843, section 6: zero is how a bundle-only section looks; otherwise it is a rejected one.
    if port == 0 and "a=bundle-only" not in section:
        raise UnsupportedMedia(
            "The offer has a rejected media section.", details={"reason": "rejected", "index": index}
        )
    if not re.fullmatch(r"UDP/TLS/RTP/SAVPF?", match[3]):
        raise UnsupportedMedia("Media must be UDP/TLS/RTP/SAVPF.", details={"reason": "profile", "index": index})
    direction = next(
        (line[2:] for line in section if line in ("a=sendonly", "a=recvonly", "a=sendrecv", "a=inactive")),
        next((line[2:] for line in session if line in ("a=sendonly", "a=recvonly", "a=inactive")), "sendrecv"),
    )
    if direction not in WANTED_DIRECTIONS[purpose]:
        raise UnsupportedMedia(
            f"A media section is {direction}; this address takes {WANTED_DIRECTIONS[purpose][0]}.",
            details={"reason": "direction", "index": index},
        )
    setup = _need(session, section, "setup", index)
    if setup not in ("actpass", "active", "passive"):
        raise BadOffer("a=setup has no known value.", details={"reason": "setup", "index": index})
    _need(session, section, "fingerprint", index)
    if "a=rtcp-mux" not in section:
        raise BadOffer("RTP and RTCP must be multiplexed (a=rtcp-mux).", details={"reason": "rtcp_mux"})
    codecs = _codecs(match[4].split(), section)
    usable = tuple(name for name in codecs if name in USABLE[kind])
    if not usable:
        raise UnsupportedMedia(
            f"None of the {kind} codecs offered is accepted.",
            details={"reason": "codec", "kind": kind, "offered": list(codecs)[:20], "taken": list(USABLE[kind])},
        )
    return OfferedMedia(
        kind=kind,
        mid=_value(section, "mid") or str(index),
        direction=direction,
        setup=setup,
        codecs=usable,
        rtx_of=_rtx(section),
    )


def _codecs(formats: list[str], section: list[str]) -> tuple[str, ...]:
    names: dict[str, str] = {}
    for line in section:
        if match := re.fullmatch(r"a=rtpmap:(\d+) ([^/\s]+)/(\d+)(?:/\d+)?\s*", line):
            names[match[1]] = match[2].lower()
    for number, (name, _) in STATIC_PAYLOADS.items():
        names.setdefault(str(number), name)
    seen = [names[f] for f in formats if f in names]
    return tuple(dict.fromkeys(n for n in seen if n not in ("rtx", "red", "ulpfec", "flexfec-03")))


def _rtx(section: list[str]) -> dict[int, int]:
    pairs = {}
    for line in section:
        if match := re.fullmatch(r"a=ssrc-group:FID ([0-9]{1,10}) ([0-9]{1,10})\s*", line):
            pairs[int(match[2])] = int(match[1])
    return pairs


def _clean_section(index: int, section: list[str], candidates_left: int) -> tuple[list[str], int]:
    """The section in the form that aiortc accepts, and the number of its candidates."""
    out: list[str] = []
    taken = 0
    ssrcs = {m[1] for line in section if (m := re.match(r"a=ssrc:(\d+) \S+:", line))}
    formats = set(section[0].split()[3:])
    mapped = {m[1] for line in section if (m := re.match(r"a=rtpmap:(\d+) ", line))}
    for line in section:
        if line.startswith("a=candidate:"):
            if taken < candidates_left and read_candidate(line[len("a=candidate:") :]) is not None:
                out.append(line)
                taken += 1
        elif line.startswith("a=end-of-candidates"):
            # With it and no candidates aioice fails at once, although peer-reflexive ones would be enough; we have a
            # time limit.
            continue
        elif line.startswith("a=ssrc:"):
            if re.match(r"a=ssrc:\d+ \S+:", line):
                out.append(line)
        elif line.startswith(("a=fmtp:", "a=rtcp-fb:")):
            # aiortc looks the payload type up and fails for one without rtpmap.
            payload_type = line.split(":", 1)[1].split(" ", 1)[0]
            if payload_type == "*" or payload_type in mapped:
                out.append(line)
        else:
            out.append(line)
        if match := re.fullmatch(r"a=ssrc-group:FID ([0-9]{1,10}) ([0-9]{1,10})\s*", line):
            # FFmpeg names the retransmission SSRC in the group only; aiortc needs a line for each.
            out += [f"a=ssrc:{s} cname:streamer" for s in match.groups() if s not in ssrcs]
            ssrcs |= set(match.groups())
    for number, (name, rate) in STATIC_PAYLOADS.items():
        if str(number) in formats and str(number) not in mapped:
            out.append(f"a=rtpmap:{number} {name.upper()}/{rate}")
    if _value(section, "mid") is None:
        out.append(f"a=mid:{index}")
    return out, taken


# --- answers ------------------------------------------------------------------------------------------


def write_answer(answer: str, tuning: AnswerTuning | None = None) -> str:
    """aiortc's answer with these changes:

    - the start bitrate for Chromium, which else begins at 330 kbit/s and needs half a minute to climb,
    - the level that we can really take, where the offer allows it to differ,
    - stereo and in-band error correction for Opus, which browsers use only if they are asked to,
    - one fingerprint: older libdatachannel gives up at an algorithm that it does not know,
    - nothing of a stream in the other direction, as there is none.
    """
    tuning = tuning or AnswerTuning()
    session, sections = _sections(answer)
    out = list(session)
    for section in sections:
        kind = section[0][2:].split(" ", 1)[0]
        receiving = "a=recvonly" in section
        rates = {m[1]: m[2].lower() for line in section if (m := re.match(r"a=rtpmap:(\d+) ([^/]+)/", line))}
        extra = {pt: _extra(kind, name, tuning) if receiving else {} for pt, name in rates.items()}
        done: set[str] = set()
        for line in section:
            if line.startswith("a=fingerprint:") and not line.startswith("a=fingerprint:sha-256"):
                continue
            if receiving and line.startswith(("a=ssrc", "a=msid:")):
                continue
            if match := re.fullmatch(r"a=fmtp:(\d+) (.*)", line):
                line = _fmtp(match[1], match[2], extra.get(match[1], {}))
                done.add(match[1])
            out.append(line)
            if line == "a=rtcp-mux":
                out.append("a=rtcp-mux-only")
        out += [_fmtp(pt, "", more) for pt, more in extra.items() if more and pt not in done]
        out.append("a=ice-options:trickle")
    return "\r\n".join(out) + "\r\n"


def _extra(kind: str, codec: str, tuning: AnswerTuning) -> dict[str, str]:
    if codec == "opus":
        return {
            "minptime": "10",
            "useinbandfec": "1",
            "stereo": "1",
            "sprop-stereo": "1",
            "maxaveragebitrate": str(tuning.opus_kbps * 1000),
        }
    if kind == "video" and codec in USABLE["video"]:
        return {
            "x-google-start-bitrate": str(tuning.video_start_kbps),
            "x-google-min-bitrate": str(tuning.video_min_kbps),
            "x-google-max-bitrate": str(tuning.video_max_kbps),
        }
    return {}


def _fmtp(payload_type: str, value: str, extra: dict[str, str]) -> str:
    parameters: dict[str, str] = {}
    for part in value.split(";"):
        if part.strip():
            name, _, content = part.strip().partition("=")
            parameters[name] = content
    profile = parameters.get("profile-level-id", "")
    if extra and parameters.get("level-asymmetry-allowed") == "1" and re.fullmatch("[0-9A-Fa-f]{6}", profile):
        # RFC 6184, section 8.2.2: the answer's level is what we can take, and may be higher than the offer's.
        level = max(int(profile[4:], 16), LEVEL_4_2)
        parameters["profile-level-id"] = f"{profile[:4]}{level:02x}"
    parameters.update(extra)
    text = ";".join(f"{name}={content}" if content else name for name, content in parameters.items())
    return f"a=fmtp:{payload_type} {text}"


# --- candidates ---------------------------------------------------------------------------------------


def read_candidate(value: str) -> RTCIceCandidate | None:
    """One candidate-attribute value; None if we cannot use it: TCP, a name instead of an address, or no candidate.

    A ``.local`` name would have to be resolved by multicast. The browser's checks reach our addresses without it, and
    its address is learned as a peer-reflexive candidate.
    """
    bits = value.split()
    if len(bits) < 8 or bits[2].lower() != "udp" or bits[6] != "typ" or bits[7] not in ("host", "srflx", "relay"):
        return None
    if bits[1] not in ("0", "1"):
        return None  # RTCP's own component, which multiplexing makes needless
    try:
        ipaddress.ip_address(bits[4])
        candidate = candidate_from_sdp(" ".join(bits))
    except (ValueError, AssertionError, IndexError):
        return None
    if not 0 < candidate.port < 65536:
        return None
    candidate.component = 1
    return candidate


def read_fragment(text: str) -> TrickleFragment:
    """A trickle fragment, parsed leniently: clients send the same candidate under each mid, no mid, or component 0.

    Raises :class:`BadFragment` if it is too large or holds no valid line.
    """
    if len(text.encode()) > MAX_SDP_BYTES:
        raise BadFragment(f"A fragment holds at most {MAX_SDP_BYTES} bytes.")
    ufrag = password = None
    end = False
    known = False
    found: dict[tuple[str, int], RTCIceCandidate] = {}
    for raw in text.splitlines():
        line = raw.strip()
        attribute = line[2:] if line.startswith("a=") else line
        if attribute.startswith("candidate:"):
            known = True
            candidate = read_candidate(attribute[len("candidate:") :])
            if candidate is not None:
                found.setdefault((candidate.ip, candidate.port), candidate)
        elif attribute.startswith("ice-ufrag:"):
            known = True
            ufrag = attribute[len("ice-ufrag:") :].strip()
        elif attribute.startswith("ice-pwd:"):
            known = True
            password = attribute[len("ice-pwd:") :].strip()
        elif attribute.startswith("end-of-candidates"):
            known = end = True
    if not known:
        raise BadFragment("The fragment has neither candidates nor credentials.")
    return TrickleFragment(ufrag, password, tuple(found.values()), end)


def is_restart(fragment: TrickleFragment, ufrag: str, password: str) -> bool:
    """RFC 9725, section 4.3.3: new credentials ask for a restart, whatever If-Match says."""
    changed = fragment.ufrag is not None and fragment.ufrag != ufrag
    return changed or (fragment.password is not None and fragment.password != password)


def for_mid(candidates: Iterable[RTCIceCandidate], mid: str) -> Sequence[RTCIceCandidate]:
    """The same candidates, for the media section that carries the bundle."""
    return [replace(candidate, sdpMid=mid, sdpMLineIndex=None) for candidate in candidates]


# --- lines --------------------------------------------------------------------------------------------


def _sections(text: str) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    sections: list[list[str]] = []
    for raw in text.splitlines():
        line = raw.rstrip()
        if not line:
            continue
        if line.startswith("m="):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
        else:
            session.append(line)
    return session, sections


def _drop(lines: list[str], prefixes: tuple[str, ...]) -> list[str]:
    return [line for line in lines if not line.startswith(prefixes)]


def _value(lines: list[str], name: str) -> str | None:
    prefix = f"a={name}:"
    return next((line[len(prefix) :].strip() for line in lines if line.startswith(prefix)), None)


def _need(session: list[str], section: list[str], name: str, index: int) -> str:
    """A media section's attribute, else the session's."""
    value = _value(section, name) or _value(session, name)
    if not value:
        raise BadOffer(f"a={name} is missing.", details={"reason": name.replace("-", "_"), "index": index})
    return value
