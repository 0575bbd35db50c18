"""Splits and folds, drawn by content hash so that duplicates and groups stay together."""
