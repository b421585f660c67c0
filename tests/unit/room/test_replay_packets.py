"""Captured packets, replayed into a room of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.rtc.payloads import payload_h264
from tests.fakes.encoded import FPS, h264_seconds
from tests.fakes.media_host import REPOSITORY
from tests.replay_packets import Packets, read_rtpdump, write_rtpdump


def _captured() -> Packets:
    """Three seconds as somebody else's program sent them: its payload type, its SSRC, one packet lost."""
    found: Packets = []
    for number, (frame, _) in enumerate(h264_seconds(seconds=3)):
        parts = payload_h264(frame)
        for part in parts:
            marker = 0x80 if part is parts[-1] else 0
            head = b"\x80" + bytes((marker | 111,)) + (len(found) % 65536).to_bytes(2, "big")
            head += (number * 90_000 // FPS).to_bytes(4, "big") + b"ssrc"
            found.append((number * 1000 // FPS, head + part))
    del found[len(found) // 2]
    return found


def test_a_room_tells_what_it_makes_of_captured_packets(tmp_path: Path) -> None:
    file = tmp_path / "video.rtp"
    file.write_bytes(write_rtpdump(_captured()))
    command = [sys.executable, "-m", "tests.replay_packets", "--video", str(file)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    video = json.loads(done.stdout)["sources"]["main"]["video"]
    assert (video["codec"], video["width"], video["height"], video["lost"]) == ("h264", 320, 180, 1)
    assert video["packets"] == len(_captured())


def test_the_form_of_rtpdump() -> None:
    packets = [(0, b"\x80" * 12), (40, b"\x80" * 13)]
    data = write_rtpdump(packets)
    assert read_rtpdump(data) == packets
    rtcp = b"\0\x0c\0\0\0\0\0\1abcd"
    assert read_rtpdump(data + rtcp) == packets
    with pytest.raises(ValueError, match="rtpdump"):
        read_rtpdump(b"\xd4\xc3\xb2\xa1")
