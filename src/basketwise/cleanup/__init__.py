"""Removing what runs have left and nothing needs any more."""
