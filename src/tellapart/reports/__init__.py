"""Offline HTML pages about runs, comparisons, sweeps and checks of data, and the figures in them.

It may import training and all below it; plotly is imported when a figure is made.
"""
