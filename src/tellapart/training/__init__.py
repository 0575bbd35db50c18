"""From a Dataset and a Recipe to a Run with its Bundle.

May import `bundles` and everything below it.
"""
