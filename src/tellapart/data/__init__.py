"""Pictures in: decoding, sources, splits, and the geometry every picture goes through.

May import `engine`, `progress`, `files`, `errors`; never Keras or TensorFlow.
"""
