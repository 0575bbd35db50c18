"""Batch prediction: any number of images to one file, in constant memory, resumable."""
