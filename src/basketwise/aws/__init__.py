"""The same pipeline on Amazon SageMaker. boto3 is imported only where a call is made."""
