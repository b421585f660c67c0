"""Streamer: self-hosted live broadcasting for public venues."""

__version__ = "0.2.0"
