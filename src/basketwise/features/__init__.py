"""Features of a basket, each defined once as Narwhals expressions over its lines."""
