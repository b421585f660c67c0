"""A room's broadcast as values: programme, events, views, orders. Imports nothing of ours."""
