"""What runs left behind: found, judged by rules, removed."""
