"""Gold: baskets with their folds, features and product index."""
