"""``streamer unit``: a systemd unit that fits this installation. The units of ``configs/systemd`` are its templates."""

from __future__ import annotations

import pwd
import shutil
import sys
from pathlib import Path
from typing import Literal

TEMPLATES = Path(__file__).parent / "units"
PROGRAM, DATA, CONFIG = "/opt/streamer/bin/streamer", "/var/lib/streamer", "/etc/streamer/streamer.toml"
"""As they stand in the templates."""
TARGET = "/var/backups/streamer"
_KEYS = "The keys of the bucket (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL) stand in EnvironmentFile."
_NAMES = {"all": "streamer", "web": "streamer-web", "media": "streamer-media"}
_HOMES = ("/home/", "/root/")


def installed_program() -> Path:
    """The command of the environment that runs now, such as pipx has made it."""
    own = Path(sys.prefix) / "bin" / "streamer"
    return own if own.exists() else Path(shutil.which("streamer") or sys.argv[0]).absolute()


def unit(role: Literal["all", "web", "media"], program: Path, data: Path | None, config: Path | None) -> str:
    """The text of a unit. ``data`` None: systemd makes ``/var/lib/streamer``. ``config`` None: the usual file if it is
    there, else none."""
    text = (TEMPLATES / f"{_NAMES[role]}.service").read_text("utf-8")
    if config is None and Path(CONFIG).is_file():
        config = Path(CONFIG)
    text = text.replace(PROGRAM, _quoted(program))
    text = text.replace(f" --config {CONFIG}", "" if config is None else f" --config {_quoted(config.absolute())}")
    if data is not None and data.absolute() != Path(DATA):
        where = _quoted(data.absolute())
        text = text.replace(f"--data {DATA}", f"--data {where}")
        text = text.replace("StateDirectory=streamer\nStateDirectoryMode=0700\n", f"ReadWritePaths={where}\n")
    paths = [str(path.absolute()) for path in (program, data, config) if path is not None]
    if any(path.startswith(_HOMES) for path in paths):
        # Another user does not get in there, and a service that is kept out of homes does not either.
        user = pwd.getpwuid(program.stat().st_uid).pw_name
        text = text.replace("User=streamer\nGroup=streamer\n", f"User={user}\n")
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")
    return text


def backup_unit(target: str, program: Path, data: Path | None, config: Path | None) -> str:
    """The text of the service that backs up to ``target``; :func:`backup_timer` starts it."""
    text = (TEMPLATES / "streamer-backup.service").read_text("utf-8")
    if config is None and Path(CONFIG).is_file():
        config = Path(CONFIG)
    if "://" in target:
        text = text.replace("The folder must belong to the user, and lies on another disk or machine.", _KEYS)
        text = text.replace(f" {TARGET}\n", "\n").replace(TARGET, _quoted(target))
    else:
        text = text.replace(TARGET, _quoted(Path(target).absolute()))
    text = text.replace(PROGRAM, _quoted(program))
    text = text.replace(f" --config {CONFIG}", "" if config is None else f" --config {_quoted(config.absolute())}")
    if data is not None:
        text = text.replace(DATA, _quoted(data.absolute()))
    return text


def backup_timer() -> str:
    return (TEMPLATES / "streamer-backup.timer").read_text("utf-8")


def _quoted(path: Path | str) -> str:
    """A path in a unit file: a percent sign begins a specifier (systemd.unit), a space ends a word."""
    text = str(path).replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"')
    return f'"{text}"' if " " in text else text
