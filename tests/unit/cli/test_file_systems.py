"""Recordings on another file system than the rooms' files: refused with a clear sentence, before anything is lost."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer import data_folder
from tests.fakes.running import ADMIN_TOKEN
from tests.fakes.small_disk import needs_mounts, with_disks


def streamer(folder: Path, disks: dict[Path, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*with_disks(disks), sys.executable, "-m", "streamer.cli", *arguments, "--data", str(folder)],
        env={**os.environ, "STREAMER_ADMIN_TOKEN": ADMIN_TOKEN, "COLUMNS": "1000"},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@needs_mounts
@pytest.mark.parametrize("where", ["rooms", "rooms/hall"])
def test_two_file_systems_are_refused_by_serve_and_by_check(where: str, tmp_path: Path) -> None:
    disks = {tmp_path / "data" / where: "size=8m"}
    for command in (("serve", "--port", "0"), ("check",)):
        result = streamer(tmp_path / "data", disks, *command)
        assert result.returncode == 1, result.stdout + result.stderr
        said = result.stdout + result.stderr
        assert f"{tmp_path}/data/recordings is on another file system than {tmp_path}/data/{where}" in said
        assert "Traceback" not in said


@needs_mounts
def test_one_file_system_that_is_another_than_the_database_s_is_welcome(tmp_path: Path) -> None:
    """Both folders are links to one large disk."""
    disk = tmp_path / "large"
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    for name in ("rooms", "recordings"):
        (folder / name).symlink_to(disk / name)
    script = f"import os; [os.makedirs('{disk}/' + n) for n in ('rooms', 'recordings')]; "
    script += f"from pathlib import Path; from streamer import data_folder; print(data_folder.apart(Path('{folder}')))"
    command = [*with_disks({disk: "size=8m"}), sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"


def test_a_file_system_without_hard_links_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder.apart(tmp_path) is None
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["recordings", "rooms"]

    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)
    assert "need hard links" in str(data_folder.apart(tmp_path))
    assert not list(tmp_path.rglob(".link-*"))
