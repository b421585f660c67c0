"""A web process that waits for the death of the one that acts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.control import process_files, run_folder
from streamer.settings import load_settings
from streamer.web import process


def test_one_whose_program_was_replaced_leaves_the_lock_to_the_new_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(None, data=tmp_path)
    run_folder.make_run_dir(settings.run_dir)
    lock = process.stand_by(settings)
    assert lock is not None
    os.close(lock)
    looks = iter(({"program": (1, 1, 1)}, {"program": (2, 1, 1)}))
    monkeypatch.setattr(process, "program_files", lambda: next(looks))
    assert process.stand_by(settings) is None
    assert not process_files.is_locked(settings.run_dir / process_files.WEB_LOCK)
