"""Leftovers of runs: selecting them by rules, and removing them."""
