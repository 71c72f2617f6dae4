"""What AWS is asked for: pure functions from names and settings to boto3 requests."""
