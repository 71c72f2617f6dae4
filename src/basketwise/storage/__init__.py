"""Storage of workspaces: the protocol, local folders, and opening any other by its address."""
