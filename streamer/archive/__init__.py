"""Recordings: what is kept of a session, how it is cut, what leaves again. No transport."""
