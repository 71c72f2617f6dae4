"""Where versions of the model are stored, approved, rolled back and exported from."""
