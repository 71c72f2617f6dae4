"""Basketwise: from raw till lines to an approved model of each basket's price sensitivity."""

__version__ = "0.1.0"
