"""Jobs and pipelines: started once, followed to their end, paid for."""
