"""Uploads to the bucket: raw files, and the code of the jobs."""
