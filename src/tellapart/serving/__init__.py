"""HTTP service for a bundle: a JSON API and a web page.

May import `bundles` and below; never Keras or TensorFlow.
"""
