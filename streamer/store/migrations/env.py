"""Alembic's entry: runs on the connection that ``streamer.store.database.upgrade`` hands over."""

from alembic import context

from streamer.store.audience_tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=False)
# The migration runs in the caller's transaction: all of it or nothing.
context.run_migrations()
