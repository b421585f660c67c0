"""``make bench``: two tables, each figure beside its peer's from the same run.

    python -m tests.bench [--quick] [--only cost|delays] [--rounds N] [--out FILE]

The tables go to the standard output as Markdown, the single measurements to the standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.bench import cost, delays, machine


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(options: argparse.Namespace) -> str:
    parts = [f"Measured on {machine.describe()}."]
    if options.only in (None, "cost"):
        window_s = 15.0 if options.quick else 30.0
        ours, theirs, ffmpeg = await cost.compare(1 if options.quick else options.rounds, window_s, say)
        parts.append(cost.table(ours, theirs, ffmpeg))
    if options.only in (None, "delays"):
        few = options.quick
        figures = await delays.measure(10.0 if few else 30.0, 3 if few else 7, 1 if few else 4, say)
        parts.append(delays.table(figures))
    return "\n\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench")
    parser.add_argument("--quick", action="store_true", help="short windows, to see that it works")
    parser.add_argument("--only", choices=("cost", "delays"))
    parser.add_argument("--rounds", type=int, default=3, help="of the cost table")
    parser.add_argument("--out", type=Path, help="write the tables there, too")
    options = parser.parse_args()
    text = asyncio.run(run(options))
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
