"""Workspaces in an S3 bucket."""
