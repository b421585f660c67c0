"""``python -m tests.mutants``: the tests still catch the faults in ``faults.py``. ``make mutants``, under five minutes.

Each fault is put into a copy of the program, and the test that is named there has to fail. Without a fault all of
these tests have to pass. A fault that does not apply any more has not been moved with its line: that fails, too.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.fault import Fault
from tests.mutants.faults import FAULTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("streamer", "tests")
"""Everything else beside them (the pages, settings, the configuration of pytest) is linked."""
AT_A_TIME = 2
TEST_LIMIT_S = 60
"""A test that hangs has failed."""
LIMIT_S = 240.0
"""Longer than that, nothing is known: the machine is too busy."""
_NO_END = -1
_PYTEST_FAILED = 1
_PYTEST_STOPPED = 2
"""Pytest could not even import a module."""


class NotJudged(Exception):
    """The line of a fault has moved, or its test did not run to its end."""


def copy_tree(folder: Path) -> Path:
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name in COPIED:
            shutil.copytree(entry, folder / entry.name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        elif entry.name != ".git":
            (folder / entry.name).symlink_to(entry)
    return folder


def faulty(text: str, fault: Fault) -> str:
    """The module's text with the fault, indented as the line was. Raises NotJudged."""
    lines = text.split("\n")
    found = [number for number, line in enumerate(lines) if line.strip() == fault.before]
    if len(found) != 1:
        raise NotJudged(f"the line stands there {len(found)} times")
    (number,) = found
    lines[number] = lines[number].replace(fault.before, fault.after)
    return "\n".join(lines)


def run(copy: Path, command: Sequence[str], limit_s: float = LIMIT_S) -> tuple[int, str]:
    """In the copy, with the copy's modules before those that are installed. Returns exit code and output."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _NO_END, f"no end in {limit_s:g} s"
    return done.returncode, done.stdout


def pytest(copy: Path, tests: Sequence[str], limit_s: float = LIMIT_S) -> tuple[int, str]:
    options = ("-q", "-x", "-p", "no:cacheprovider", "-n", "0", "--tb=line", "--timeout", str(TEST_LIMIT_S))
    return run(copy, ["-m", "pytest", *options, *tests], limit_s)


def is_caught(copy: Path, fault: Fault) -> bool:
    """Raises NotJudged."""
    path = copy / fault.module
    if not path.is_file():
        raise NotJudged("there is no such module")
    sound, times = path.read_text("utf-8"), path.stat()
    path.write_text(faulty(sound, fault), "utf-8")
    try:
        code, output = pytest(copy, [fault.test])
    finally:
        path.write_text(sound, "utf-8")
        # Python keeps what it has compiled by time and size.
        os.utime(path, (times.st_atime, times.st_mtime))
    if code not in (0, _PYTEST_FAILED, _PYTEST_STOPPED):
        raise NotJudged(output.strip().rpartition("\n")[2])
    return code != 0


def judge(copies: queue.Queue[Path], fault: Fault) -> bool:
    """Whether it was caught; says so."""
    began = time.monotonic()
    copy = copies.get()
    try:
        caught, word = is_caught(copy, fault), ""
    except NotJudged as error:
        caught, word = False, f"NOT JUDGED ({error})"
    finally:
        copies.put(copy)
    word = word or ("caught" if caught else "SURVIVED")
    print(f"{word:9} {time.monotonic() - began:5.1f} s  {fault.module}: {fault.about}", flush=True)
    return caught


def sound_fails(copies: queue.Queue[Path], tests: Sequence[str]) -> str:
    """pytest's output for the tests without a fault; empty if they pass."""
    copy = copies.get()
    try:
        code, output = run(copy, ["-c", "import streamer; print(streamer.__file__)"])
        if code or not output.strip().startswith(str(copy)):
            return f"the copy is not what is imported: {output}"
        code, output = pytest(copy, tests, LIMIT_S * 10)
        return output if code else ""
    finally:
        copies.put(copy)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only faults in modules whose path holds one of these")
    names = parser.parse_args().names
    faults = [fault for fault in FAULTS if not names or any(name in fault.module for name in names)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="streamer-mutants-") as temporary, ThreadPoolExecutor(AT_A_TIME) as pool:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(AT_A_TIME):
            copies.put(copy_tree(Path(temporary) / str(number)))
        tests = sorted({fault.test for fault in faults})
        shares = [tests[number::AT_A_TIME] for number in range(AT_A_TIME)]
        for output in pool.map(lambda share: sound_fails(copies, share), [share for share in shares if share]):
            if output:
                print(f"{output}\nThe tests fail without a fault.")
                return 1
        print(f"{len(tests)} tests pass without a fault", flush=True)
        caught = sum(pool.map(lambda fault: judge(copies, fault), faults))
    left = len(faults) - caught
    print(f"{caught} of {len(faults)} faults caught, {left} not, in {time.monotonic() - began:.0f} s")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
