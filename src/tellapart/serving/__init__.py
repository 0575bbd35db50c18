"""A bundle behind HTTP: an API and a page.

May import `bundles` and below; never Keras or TensorFlow.
"""
