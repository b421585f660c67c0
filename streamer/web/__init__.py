"""The web process: wiring of the web plane."""
