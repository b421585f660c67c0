"""Schedules from elsewhere: fetched, compared, and applied with somebody's rights."""
