"""What goes from this machine to the bucket: raw files, and the code of the jobs."""
