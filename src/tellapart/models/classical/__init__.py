"""Estimators on vectors of features or pixels: k nearest neighbours, random forest, logistic regression."""
