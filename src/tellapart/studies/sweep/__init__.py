"""Sweeps: the fields of a recipe varied one after the other, or in a grid."""
