"""Checks of settings, data, workspace and machine before a run."""
