"""QR codes for links that people get on paper."""

from __future__ import annotations


def qr_data_uri(link: str) -> str:
    """``data:image/svg+xml;…``: some kilobytes, black on white in any theme, with the quiet zone that scanners need."""
    # Here: only who makes links needs it, and no process at its start.
    import segno

    # Level M: a badge gets creased. Most of the size comes from the 57 characters of the token.
    code = segno.make(link, error="m", micro=False)
    return code.svg_data_uri(border=4, light="#fff", omitsize=True, svgclass=None, lineclass=None)
