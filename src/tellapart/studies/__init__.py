"""Studies, which train many times to answer one question: search, sweep, cross-validation, learning rate range test.

May import `training` and below. No study reads test images before all its choices are made.
"""
