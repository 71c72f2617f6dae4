"""Starting jobs and pipelines once, and following them to their end."""
