"""Beyond one machine: jobs and serving on a Ray cluster. No other package knows Ray.

May import everything below; Ray itself is imported when a cluster is used.
"""
