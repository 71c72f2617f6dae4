"""Each stage as a step of a run: taken from before where it still holds, else run and sealed."""
