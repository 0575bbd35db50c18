"""Beyond one machine: jobs on the workers of a Ray cluster. No other package knows Ray.

May import everything below; Ray itself only when it is asked for.
"""
