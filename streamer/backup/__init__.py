"""Backups of everything that is kept, made while on air, and their way back."""
