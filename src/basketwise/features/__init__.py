"""Features of a basket, each defined once over its lines."""
