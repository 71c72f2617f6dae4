"""What is looked at before a run, each finding with how to fix it."""
