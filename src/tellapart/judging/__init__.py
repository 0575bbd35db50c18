"""NumPy in, facts out: labels and probabilities are all this package knows.

May import `data` and below; not `models`.
"""
