"""QR codes for links that are handed to people on paper."""

from __future__ import annotations

import segno


def qr_data_uri(link: str) -> str:
    """``data:image/svg+xml;…``: some kilobytes, black on white in any theme, with the quiet zone that scanners want."""
    # Level M: a badge gets creased. The rest of the size is the token's 57 characters.
    code = segno.make(link, error="m", micro=False)
    return code.svg_data_uri(border=4, light="#fff", omitsize=True, svgclass=None, lineclass=None)
