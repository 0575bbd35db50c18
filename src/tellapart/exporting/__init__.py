"""A bundle in other formats, each run on real images right away, and refused where it disagrees.

May import `explaining` and below. Keras is loaded for the formats that need it, and only then.
"""
