"""``make bench``: tables, each figure beside its peer's from the same run.

    python -m tests.bench [audience] [backup] [cold] [cost] [crew] [delays] [edge] [processes] [--quick] [--rounds N]
        [--out FILE]

The tables go to the standard output as Markdown, the single measurements to the standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.bench import audience, backup, cold, cost, crew, delays, edge, machine, processes, wall

TABLES = ("cost", "crew", "delays", "cold", "edge", "processes", "backup", "audience")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def made(name: str, options: argparse.Namespace) -> str:
    """One table."""
    quick = options.quick
    if name == "cost":
        window_s = 15.0 if quick else 30.0
        return cost.table(*asyncio.run(cost.compare(1 if quick else options.rounds, window_s, say)))
    if name == "crew":
        return crew.table(crew.measure(), asyncio.run(wall.measure(5.0 if quick else 30.0)))
    if name == "delays":
        figures = asyncio.run(delays.measure(10.0 if quick else 30.0, 3 if quick else 7, 1 if quick else 4, say))
        return delays.table(figures)
    if name == "cold":
        return cold.table(asyncio.run(cold.measure(1 if quick else 3, say)))
    if name == "edge":
        return edge.table(
            *asyncio.run(edge.measure((200,) if quick else (200, 1000, 2000), 10.0 if quick else 30.0, say))
        )
    if name == "backup":
        return backup.table(asyncio.run(backup.measure(20 if quick else 200, 5.0 if quick else 20.0, say)))
    if name == "processes":
        sizes, rounds, window_s = ((200,), 1, 5.0) if quick else ((1000, 4000), 2, 10.0)
        return processes.table(asyncio.run(processes.measure(sizes, rounds, window_s, say)))
    return audience.table(audience.measure(quick=quick, say=say))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; none: all")
    parser.add_argument("--quick", action="store_true", help="short windows, to see that it works")
    parser.add_argument("--rounds", type=int, default=3, help="of the cost table")
    parser.add_argument("--out", type=Path, help="write the tables there, too")
    options = parser.parse_args()
    if unknown := set(options.tables) - set(TABLES):
        parser.error(f"no such table: {', '.join(sorted(unknown))}")
    parts = [f"Measured on {machine.describe()}."]
    for name in TABLES:
        if not options.tables or name in options.tables:
            parts.append(made(name, options))
    text = "\n\n".join(parts)
    print(text)
    if options.out is not None:
        options.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
