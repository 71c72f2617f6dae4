"""What runs the stages: the workspace, the cache of finished steps, the whole pipeline."""
