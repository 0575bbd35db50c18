"""Bytes of an image file to an array of 8 bits: formats, limits, THE decoder."""
