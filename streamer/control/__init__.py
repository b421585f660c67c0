"""How the web plane and the media plane speak: messages, sockets, the mirror of a room."""
