"""Requests to AWS: pure functions from names and settings to the parameters of boto3."""
