"""Recordings: their material, their cuts, their deletion. No transport."""
