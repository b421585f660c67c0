"""The other commands and their exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamer import __version__
from streamer.cli.commands import _tell_first_admin
from streamer.cli.settings_problems import mistakes
from streamer.passwords import SECRET_NAME, password_matches
from streamer.settings import Settings
from streamer.store.audit import AuditLog
from streamer.store.database import Database, database_url
from streamer.store.grants import Grants
from streamer.store.logins import Secrets
from streamer.store.rooms import Room, Rooms
from tests.fakes.certificates import write_certificate
from tests.fakes.command import streamer
from tests.fakes.planned import add_session


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--port", "x"],
        ["serve", "--port", "70000"],
        ["serve", "--role", "king"],
        ["serve", "--tls-cert", "cert.pem"],
        ["grant"],
        ["grant", "--role", "king"],
        ["grant", "--role", "viewer", "--room", "a", "--venue", "v"],
        ["grant", "--role", "viewer", "--event", "e", "--session", "s"],
        ["serve", "--config", "/no/such/file.toml"],
        ["serve", "--public-url", "live.example.org"],
        ["publish", "--url", "http://127.0.0.1:1/whip/a"],
        ["publish", "--url", "127.0.0.1/whip/a", "--token", "t"],
        ["publish", "--url", "http://127.0.0.1:1/whip/a", "--token", "t", "/no/such/talk.mp4"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = streamer(*arguments)
    assert result.returncode == 2, result.stderr
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_the_console_script_exits_with_the_commands_code() -> None:
    command = [sys.executable, "-m", "streamer.cli", "nonsense"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, "nonsense" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["serve", "check", "demo"])
def test_a_short_admin_token_is_refused_at_start(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_ADMIN_TOKEN", "x" * 31)
    result = streamer(command, "--port", "0", "--data", str(tmp_path / "d"))
    assert result.returncode == 2
    assert "STREAMER_ADMIN_TOKEN has 31 characters; at least 32 are needed" in result.stderr
    assert "xxx" not in result.stderr
    assert not (tmp_path / "d").exists()


def test_a_wrong_setting_is_named_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[hls]\ndvr_s = 1\n[server]\nprot = 1\n")
    result = streamer("serve", "--config", str(file), "--data", str(tmp_path / "d"))
    assert result.returncode == 2
    assert "hls.dvr_s: " in result.stderr
    assert "server.prot: " in result.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[hls\ndvr_s = 3600\nsegmnt_s = 1\n[server]\nprot = 1\n", ["1: ", "3: hls.segmnt_s: ", "5: server.prot: "]),
        ("[server]\nport = 80\nhls]\ndvr_s = 3600\n", ["3: "]),
        ("[server]\n[hls dvr]\ndvr_s = 3600\n[hls]\ndvr_s = 1\n", ["2: ", "5: hls.dvr_s: "]),
        ("[hls]\n[server]\n[hls]\ndvr_s = 3600\n", ["3: "]),
        ("[hsl\ndvr_s = 3600\n[server]\nprot = 1\n", ["1: ", "4: server.prot: "]),
        ("[server]\nport 80\nprot = 1\n", ["2: ", "3: server.prot: "]),
    ],
)
def test_what_stands_below_a_sections_broken_header_is_not_misplaced(
    text: str, told: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    found = mistakes(file, {})
    assert len(found) == len(told), found
    for line, begin in zip(found, told, strict=True):
        assert line.startswith(f"{file}:{begin}"), line


async def test_a_grant_from_the_command_line_opens_what_it_says(tmp_path: Path) -> None:
    missing = streamer("grant", "--role", "technician", "--room", "a", "--data", str(tmp_path))
    assert missing.returncode == 1
    assert "no such room. Rooms are: none yet" in missing.stderr
    database = Database(database_url("", tmp_path))
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
    result = streamer("grant", "--role", "technician", "--room", "a", "--hours", "2", "--data", str(tmp_path))
    assert result.returncode == 0, result.stderr
    found = re.search(r"Link:  (\S+)\nToken: (\S+)\n", result.stdout)
    assert found is not None
    link, token = found.groups()
    assert link == f"http://127.0.0.1:8080/studio/a#token={token}"
    async with database.read() as connection:
        grant = await Grants(connection).by_token(token)
    assert grant is not None
    assert (grant.role, grant.room) == ("technician", "a")
    assert grant.expires_ms is not None
    assert grant.expires_ms - grant.created_ms == pytest.approx(7_200_000, abs=5_000)
    await database.close()


@pytest.mark.parametrize(
    "command", [("grant", "--role", "admin"), ("password",), ("import", "-"), ("import", "-", "--dry-run")]
)
def test_a_mistyped_data_folder_is_refused_and_not_made(command: tuple[str, ...], tmp_path: Path) -> None:
    for folder, words in ((tmp_path / "typo", "is not there"), (tmp_path / "other", "holds other things")):
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "notes.txt").touch()
        refused = streamer(*command, "--data", str(folder), stdin="a sentence that nobody guesses\n")
        assert refused.returncode == 2, refused.stderr
        assert words in refused.stderr
        assert "streamer serve makes" in refused.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "other"]


def test_check_tells_what_an_operator_should_know(tmp_path: Path) -> None:
    result = streamer("check", "--data", str(tmp_path / "none"), "--port", "0")
    assert "Traceback" not in result.stderr
    for subject in ("settings", "codecs", "disk", "port", "clock", "addresses", "TLS"):
        assert re.search(rf"^(ok|look|bad)\s+{subject}\s", result.stdout, re.MULTILINE), (subject, result.stdout)
    assert "room hours" in result.stdout
    assert not (tmp_path / "none").exists()


def _checked(*arguments: str) -> tuple[int, dict[str, str]]:
    """Exit code, and what is said of each subject, with its level."""
    result = streamer("check", "--port", "0", *arguments)
    assert "Traceback" not in result.stderr
    text = re.sub(r"\s*\n {6,}", " ", result.stdout)
    found = re.findall(r"^(ok|look|bad)\s+(.+?)\s{2,}(.+?)\s*$", text, re.MULTILINE)
    return result.returncode, {subject: f"{level} {words}" for level, subject, words in found}


@pytest.mark.parametrize("data", ["/proc/none", "/proc", "file/data", "file"])
def test_check_fails_on_a_folder_that_it_cannot_write(data: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, found = _checked("--data", str(tmp_path / data))
    assert (code, found["data folder"].split()[0]) == (1, "bad")


def test_check_fails_on_a_disk_for_less_than_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in ((4_000_000_000, "bad"), (9_000_000_000, "look"), (900_000_000_000, "ok")):
        monkeypatch.setattr("shutil.disk_usage", lambda _folder, free=free: SimpleNamespace(free=free))
        code, found = _checked("--data", str(tmp_path))
        assert (code, found["disk"].split()[0]) == (int(level == "bad"), level)


@pytest.mark.parametrize(
    ("media", "words"),
    [
        ('preset = "veryfasst"', "did you mean veryfast?"),
        ('preset = "p4"', "one of ultrafast, superfast"),
        ('encoder = "h264_v4l2m2m"', "h264_v4l2m2m does not open"),
    ],
)
def test_check_fails_on_an_encoder_or_preset_that_does_not_open(media: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f"[media]\n{media}\n")
    code, found = _checked("--data", str(tmp_path / "d"), "--config", str(file))
    assert (code, found["encoder"].split()[0]) == (1, "bad")
    assert words in found["encoder"]


def test_check_takes_the_address_and_the_certificate_that_serve_is_given(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    write_certificate(certificate, key, names=("*.example.org",))
    options = ("--data", str(tmp_path / "d"), "--tls-cert", str(certificate), "--tls-key", str(key))
    code, found = _checked(*options, "--public-url", "https://live.example.org")
    assert (code, found["TLS"]) == (0, "ok people come to https://live.example.org")
    assert found["certificate"].startswith("look it ends in 0 days")
    _, found = _checked(*options, "--public-url", "https://live.other.org")
    assert found["certificate"] == "look it is for *.example.org, 127.0.0.1, and people come to live.other.org"
    key.write_text("nothing")
    code, found = _checked(*options)
    assert (code, found["TLS"].split()[0]) == (1, "bad")
    assert streamer("check", "--tls-cert", str(certificate)).returncode == 2


def test_the_first_admins_link_is_printed_at_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path)
    (tmp_path / "first-admin.link").write_text("http://a/admin#first=x\n\nGood once.\n")
    _tell_first_admin(settings)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _tell_first_admin(settings)
    assert "\nhttp://a/admin#first=x\n" in capsys.readouterr().out
    (tmp_path / "first-admin.link").unlink()
    _tell_first_admin(settings)
    assert capsys.readouterr().out == ""


def test_check_tells_when_few_files_may_be_open(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "streamer.cli", "check", "--data", str(tmp_path / "none"), "--port", "0")
    few = subprocess.run(["prlimit", "--nofile=512:512", *command], capture_output=True, text=True, timeout=60)
    assert re.search(r"^look\s+descriptors\s+512 [\s\S]*4096", few.stdout, re.MULTILINE), few.stdout
    many = subprocess.run(["prlimit", "--nofile=1024:8192", *command], capture_output=True, text=True, timeout=60)
    assert re.search(r"^ok\s+descriptors\s+8192 ", many.stdout, re.MULTILINE), many.stdout


def test_the_version_is_the_packages() -> None:
    assert streamer("version").stdout.strip() == __version__


async def test_the_admin_password_is_read_from_standard_input_and_never_shown(tmp_path: Path) -> None:
    weak = streamer("password", "--data", str(tmp_path), stdin="short\n")
    assert (weak.returncode, "12 characters" in weak.stderr) == (1, True)
    secret = "a sentence that nobody guesses"
    done = streamer("password", "--data", str(tmp_path), stdin=f"{secret}\n")
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    database = Database(database_url("", tmp_path))
    await database.start()
    try:
        async with database.read() as connection:
            stored = await Secrets(connection).find(SECRET_NAME)
            (entry,) = (await AuditLog(connection).page(9, None)).items
    finally:
        await database.close()
    assert password_matches(secret, stored)
    assert not password_matches(secret + "\n", stored)
    assert (entry.action, entry.label, dict(entry.details)) == ("password.change", "command line", {})


async def test_a_grant_of_a_session_from_the_command_line_ends_with_it(tmp_path: Path) -> None:
    database = Database(database_url("", tmp_path))
    await database.start()
    try:
        async with database.write() as connection:
            await Rooms(connection).add(Room(id="a", name="A"))
        await add_session(database, "talk", "a")
        made = streamer("grant", "--role", "technician", "--session", "talk", "--data", str(tmp_path))
        assert made.returncode == 0, made.stderr
        assert "/join#token=" in made.stdout
        token = made.stdout.split("Token: ")[1].strip()
        async with database.read() as connection:
            grant = await Grants(connection).by_token(token)
        assert grant is not None
        assert (grant.session, grant.expires_ms) == ("talk", None)
        assert streamer("grant", "--role", "viewer", "--event", "none", "--data", str(tmp_path)).returncode == 1
    finally:
        await database.close()
