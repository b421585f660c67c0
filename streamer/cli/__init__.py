"""The command line."""

from collections.abc import Sequence

from streamer.starting import quick_imports


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script. Ends with SystemExit."""
    with quick_imports():
        from streamer.cli.commands import main as run
    run(arguments)


__all__ = ["main"]
