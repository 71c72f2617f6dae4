"""The stages in a container on SageMaker, behind its contract of folders and names."""
