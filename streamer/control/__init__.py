"""The connection between the web plane and the media plane: messages, sockets, the mirror of a room."""
