"""Files that put the approved version into production: ``basketwise deploy render``."""
