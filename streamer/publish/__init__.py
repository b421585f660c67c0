"""A publisher of our own: test picture, files, cameras of this machine."""
