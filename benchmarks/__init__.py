"""What the figures in README come from; each script prints a Markdown table.

``python -m benchmarks`` runs ``etl`` and ``run``; ``python -m benchmarks.scale`` takes longer and
is asked for by itself. Run from the root of a checkout with the development dependencies installed.
"""
