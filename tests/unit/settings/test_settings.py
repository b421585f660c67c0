"""Settings: precedence, problems in plain words, and the commented default file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.cli.settings_file import descriptions, render
from streamer.cli.settings_problems import mistakes
from streamer.settings import Section, Settings, load_settings

CHANGES = re.compile(r"[.;:,] .*\b(higher|lower|longer|wider|larger|fewer|more|less)\b", re.I)
FILE = Path(__file__).resolve().parents[3] / "configs" / "streamer.toml"


def test_the_commented_file_is_the_model_with_every_default() -> None:
    # python -m streamer.cli.settings_file > configs/streamer.toml
    assert FILE.read_text("utf-8") == render()


def test_the_commented_file_prints_bounds_as_people_read_them() -> None:
    entries = dict(_entries(render()))
    assert entries["shutdown_s"].endswith(" More than 0, at most 120."), "0 is refused"
    assert entries["silence_timeout_s"].endswith(" More than 1, at most 600.")
    assert entries["slow_reader_bytes_per_s"].endswith(" From 1 to 1,000,000.")
    assert entries["silence_before_slate_s"].endswith(" From 0.3 to 10.")
    assert entries["max_connections_per_participant"].endswith(" At least 2.")
    assert not re.search(r"\de\+\d", render())


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """The settings of a file with the comment above each; of equal names the last."""
    for comment, name in re.findall(r"((?:^# .*\n)+)^(?:# )?(\w+) = ", text, re.M):
        yield name, " ".join(line.removeprefix("# ") for line in comment.splitlines())


def test_each_number_says_what_changes_when_it_is_raised_or_lowered() -> None:
    texts = descriptions()
    for section in [each for _, each in Settings() if isinstance(each, Section)]:
        for name, value in section:
            if isinstance(value, int | float) and not isinstance(value, bool):
                text = texts[type(section).__name__, name]
                assert CHANGES.search(text) or "TCP port" in text or "lowest UDP port" in text, name


def test_the_commented_file_changes_nothing() -> None:
    assert load_settings(FILE) == Settings()
    written = tomllib.loads(FILE.read_text("utf-8"))
    for name, section in Settings():
        if name in written and hasattr(section, "model_fields_set"):
            missing = {key for key, value in section if value is not None} - set(written[name])
            assert not missing, name


def test_the_command_line_outranks_the_environment_and_that_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[server]\nhost = "10.0.0.1"\nport = 1\npublic_url = "https://file"\n[hls]\ndvr_s = 600\n')
    monkeypatch.setenv("STREAMER_SERVER__HOST", "10.0.0.2")
    monkeypatch.setenv("STREAMER_SERVER__PORT", "2")
    monkeypatch.setenv("STREAMER_ADMIN_TOKEN", "secret" * 6)
    settings = load_settings(file, server={"host": "10.0.0.3", "port": None, "tls_cert": None})
    assert (settings.server.host, settings.server.port, settings.server.public_url) == ("10.0.0.3", 2, "https://file")
    assert (settings.hls.dvr_s, settings.admin_token) == (600, "secret" * 6)
    assert load_settings(None, server={"port": 3}).server.port == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nport = 70000\n", "server.port"),
        ("[server]\nprot = 1\n", "server.prot"),
        ("[media]\nrungs = [{ height = 5, bitrate_kbps = 100 }]\n", "media.rungs.0.height"),
        ('[log]\nlevel = "loud"\n', "log.level"),
        ('[edges]\nnames = ["https://edge1.example.org"]\n', "edges.names"),
        ('[edges]\nnames = ["edge1.example.org", "Edge1.example.org"]\n', "edges.names"),
        ('[bus]\nurl = "http://nats.example.org:4222"\n', "bus.url"),
        ('[bus]\nurl = "nats://user:password@nats.example.org"\n', "bus.url"),
        ('[bus]\nurl = "nats://nats.example.org:port"\n', "bus.url"),
        ('[bus]\nurl = "nats://one.example.org,two.example.org"\n', "bus.url"),
        ('[bus]\nurl = "nats://nats.example.org/venue"\n', "bus.url"),
        ('[bus]\nca = "ca.pem"\n', "bus.ca"),
    ],
)
def test_a_wrong_setting_is_named_with_its_path(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(ValidationError):
        load_settings(file)
    assert any(f"s.toml:2: {words}: " in line for line in mistakes(file, {}))


@pytest.mark.parametrize("text", ["[sever]\nport = 1\n", 'admin_token = "x"\n'])
def test_what_does_not_belong_in_the_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"s\.toml"):
        load_settings(file)


def test_all_mistakes_are_told_at_once_with_line_and_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        "\n".join(
            (
                "prot = 8080",
                'admin_token = "x"',
                "[sever]",
                "port = 1",
                "[server]",
                "prot = 1  # a comment",
                "host = 0.0.0.0",
                "dvr_s = 60",
                "public_url = https://live.example.org",
                "[hls]",
                "dvr_s = 1",
                "[metrics]",
                'token = "short-and-secret"',
                "[media]",
                "rungs = [",
                "  { height = 5, bitrate_kbps = 100 },",
                "]",
            )
        )
    )
    monkeypatch.setenv("STREAMER_SERVER__PORT", "many")
    monkeypatch.setenv("STREAMER_ICE__PORT_MIM", "5")
    told = mistakes(file, {})
    assert [line.partition("s.toml")[2] or line for line in told] == [
        "STREAMER_SERVER__PORT: server.port: Input should be a valid integer, unable to parse string as an integer "
        "(found 'many')",
        "STREAMER_ICE__PORT_MIM: there is no such setting; did you mean STREAMER_ICE__PORT_MIN?",
        ":1: prot: there is no such setting; did you mean server.port?",
        ":2: admin_token: It is taken from the environment only (STREAMER_ADMIN_TOKEN)",
        ":3: sever: there is no such section; did you mean server?",
        ":6: server.prot: there is no such setting; did you mean server.port?",
        ":7: this line is not TOML: Expected newline or end of document after a statement",
        ":8: server.dvr_s: there is no such setting; did you mean hls.dvr_s?",
        ":9: this line is not TOML: Invalid value",
        ":11: hls.dvr_s: Input should be greater than or equal to 60 (found 1)",
        ":13: metrics.token: has 32 characters or more",
        ":15: media.rungs.0.height: Input should be greater than or equal to 90 (found 5)",
    ]


def test_a_variable_that_would_be_ignored_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MDIA__RUNGS", "SERVER_PORT", "ADMIN_TOKN", "NOTHING__LIKE__IT"):
        monkeypatch.setenv(f"STREAMER_{variable}", "a-value-that-is-secret")
    # Other programs' own: our command line's, and those of a Kubernetes service of this name.
    for variable in ("PUBLISH_TOKEN", "FIXTURES", "SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8080_TCP_ADDR"):
        monkeypatch.setenv(f"STREAMER_{variable}", "1")
    monkeypatch.setenv("STREAMER_HLS_PART_S", "tcp://10.0.0.1:80")
    with pytest.raises(ValidationError):
        load_settings()
    assert sorted(mistakes(None, {})) == [
        "STREAMER_ADMIN_TOKN: there is no such setting; did you mean STREAMER_ADMIN_TOKEN?",
        "STREAMER_MDIA__RUNGS: there is no such setting; did you mean STREAMER_MEDIA__RUNGS?",
        "STREAMER_NOTHING__LIKE__IT: there is no such setting",
        "STREAMER_SERVER_PORT: there is no such setting; did you mean STREAMER_SERVER__PORT?",
    ]


def test_a_file_that_is_cut_off_or_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[server]\nhost = "127.0.0.1\n\nport = [1,\n')
    assert [line.split("s.toml")[1][:28] for line in mistakes(file, {})] == [
        ":2: this line is not TOML: I",
        ":4: this line is not TOML: I",
    ]
    file.write_text(
        '[server]\nprot = 1\ntrusted_proxies = [\n  "127.0.0.1",\n  "::1"\nhost = "::"\nport = -1\n[hls]\ndvr_s = 1\n'
        'rung = [[1], [2]\n\n[media]\npreset = """\na\nb\n'
    )
    assert [line.split("s.toml")[1] for line in mistakes(file, {})] == [
        ":2: server.prot: there is no such setting; did you mean server.port?",
        ":3: the value that begins in this line has no end",
        ":7: server.port: Input should be greater than or equal to 0 (found -1)",
        ":9: hls.dvr_s: Input should be greater than or equal to 60 (found 1)",
        ":10: the value that begins in this line has no end",
        ":13: the value that begins in this line has no end",
    ], "each once"
    file.write_bytes(b"\xff\xfe[")
    assert "is not UTF-8" in mistakes(file, {})[0]


@pytest.mark.parametrize("frame_rate", [10, 12, 12.5, 15, 20, 24, 25, 30, 50, 60])
def test_parts_of_whole_frames_come_near_the_target_at_every_usual_rate(frame_rate: float) -> None:
    """RFC 8216bis, 4.4.3.7: a part lasts at least 85 % of the target. Ten frames of 30 a second are 333.3 ms, five of
    the half rate too: a target of 333 ms would leave that at 80 %."""
    target_s = Settings().hls.part_target_ms / 1000
    frames = int(target_s * frame_rate)
    assert frames / frame_rate >= 0.85 * target_s
    assert target_s <= 0.35
