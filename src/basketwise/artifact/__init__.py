"""The model archive: what is in it, how it is written, and how it is opened safely."""
