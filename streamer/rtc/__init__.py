"""WebRTC on top of aiortc: the only package that imports it."""
