"""HTML representations of data sets, evaluations, runs and predictions for notebooks."""
