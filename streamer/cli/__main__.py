"""``python -m streamer.cli``."""

from streamer.cli.commands import main

main()
