"""A SageMaker that really runs its jobs, as processes of this machine."""
