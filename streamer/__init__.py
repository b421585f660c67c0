"""Streamer: self-hosted live broadcasting for public venues."""

__version__ = "0.2.0"

PROTOCOL_VERSION = 1
"""Of REST and Socket.IO. Within a version fields, commands, events and addresses are added; none is renamed or removed,
and none changes its meaning."""
