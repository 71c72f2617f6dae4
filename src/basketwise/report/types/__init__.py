"""The parts of the report document, each a ``TypedDict``."""
