"""Where stages run. No stage knows."""
