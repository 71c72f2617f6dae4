"""Where versions of the model are kept, approved, rolled back and exported from."""
