"""Fit a network: the compiled loop, its examples and devices, learning rates, early stopping, checkpoints."""
