"""Engines that run the core somewhere else than in this process; each is an extra."""
