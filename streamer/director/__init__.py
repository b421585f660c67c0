"""The running day: the only one that moves a session through its life and the only one that puts a room on air."""
