"""The running day. Only this package changes the states of sessions and puts rooms on air."""
