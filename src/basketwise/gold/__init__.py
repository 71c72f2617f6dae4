"""One row per basket to learn from, and what a reader of it must know."""
