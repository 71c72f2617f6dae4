"""What runs in a container on SageMaker: the stages behind its contract of folders and names."""
