"""Scores for new baskets, through the same features and the index that the model carries."""
