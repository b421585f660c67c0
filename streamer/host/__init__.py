"""The media host: starts, watches and restarts room processes."""
