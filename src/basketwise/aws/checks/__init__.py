"""What is checked before a run, each finding with how to fix it."""
