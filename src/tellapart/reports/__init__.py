"""Pages of figures that open in any browser, without a network.

It may import training and all below it; plotly is imported where a figure is drawn.
"""
