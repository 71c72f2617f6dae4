"""Checks before a run, each result with how to fix it."""
