"""What the figures in README come from; each script prints a Markdown table.

``python -m benchmarks`` runs ``etl`` and ``run``. ``python -m benchmarks.scale``, which takes
longer, and ``python -m benchmarks.intervals`` are asked for by themselves. Run from the root of a
checkout with the development dependencies installed.
"""
