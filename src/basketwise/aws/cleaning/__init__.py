"""What runs left behind: listed, judged by rules, removed."""
