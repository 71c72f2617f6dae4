"""Candidates, cross-validation on the index's own folds, the winner, and its predictions."""
