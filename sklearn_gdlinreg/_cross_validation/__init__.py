"""Paths of penalties over the folds of a cross-validation."""
