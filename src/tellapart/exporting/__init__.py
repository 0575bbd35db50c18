"""Export of a bundle to other formats. Each export is run on real images and refused if it disagrees with the bundle.

May import `explaining` and below. Keras is loaded only for the formats that need it.
"""
