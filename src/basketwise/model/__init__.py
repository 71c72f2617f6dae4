"""A trained model: :mod:`~basketwise.model.scoring` lines, and opening its archive."""
