"""The report of a run, from what was measured: JSON, HTML, pictures."""
