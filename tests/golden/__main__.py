"""``python -m tests.golden`` compares the program's output with ``tests/golden/data``; ``--record`` writes it anew.

Record only intended changes, and read the difference before the commit: clients, other versions of the program and
files on disk rely on every byte of it. Earlier recordings must stay readable.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.golden.recorded import RECORD

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the files instead of comparing with them")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/unit/golden"]
    environment = {**os.environ, RECORD: "1"} if options.record else dict(os.environ)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
