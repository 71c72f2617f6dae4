"""What the figures in README and docs come from; each script prints a Markdown table.

``python -m benchmarks`` runs ``etl`` and ``run``. The others are asked for by themselves, as
``python -m benchmarks.scale``: ``scale``, ``intervals``, ``coverage``, ``gate``, ``scoring`` and
``rules``. Run from the root of a checkout with the development dependencies installed.
"""
