"""Small disks of a test's own: tmpfs, mounted in a namespace that only the started program sees."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest


@functools.cache
def _can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


needs_mounts = pytest.mark.skipif(not _can_mount(), reason="mounting a tmpfs in a namespace of its own needs root")


def with_disks(disks: dict[Path, str]) -> list[str]:
    """The start of a command that makes each folder a tmpfs with the given options (``size=32m``) for it."""
    for folder in disks:
        folder.mkdir(parents=True, exist_ok=True)
    mounts = " && ".join(f"mount -t tmpfs -o {options} none '{folder}'" for folder, options in disks.items())
    return ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]


def seen_by(pid: int, folder: Path) -> Path:
    """The folder as a process with such disks sees it."""
    return Path(f"/proc/{pid}/root") / folder.relative_to("/")
