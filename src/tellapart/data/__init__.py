"""Images in: decoding, sources, splits, and the geometry every image goes through.

May import `engine`, `progress`, `files`, `errors`; never Keras or TensorFlow.
"""
