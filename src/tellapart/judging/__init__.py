"""Metrics with confidence intervals, calibration, thresholds, costs and paired tests, on NumPy arrays alone.

May import `data` and below; not `models`.
"""
