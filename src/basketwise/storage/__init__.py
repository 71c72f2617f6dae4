"""Where workspaces lie: the protocol, a folder, a bucket."""
