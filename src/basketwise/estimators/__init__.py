"""Estimators by scikit-learn's conventions, over the same functions as the pipeline."""
