"""What people call from Python: train, load, sample."""
