"""Messages between the core and its front processes."""
