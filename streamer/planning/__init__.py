"""Schedules from elsewhere: fetched, compared, applied with somebody's rights."""
