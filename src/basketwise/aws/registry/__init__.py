"""The registry on SageMaker Model Registry."""
