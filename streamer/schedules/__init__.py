"""Schedules: reading and writing frab XML, c3voc JSON and iCalendar, and comparing them with the sessions here."""
