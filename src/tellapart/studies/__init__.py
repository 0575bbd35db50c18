"""Many trainings to learn one thing: searches, sweeps, folds, the learning-rate test.

May import `training` and below. Nothing here opens a test split before every choice is made.
"""
