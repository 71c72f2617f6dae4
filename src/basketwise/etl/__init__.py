"""Raw files to silver and gold: typed lines, the split, features."""
