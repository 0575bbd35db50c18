"""Images and data sets: decoding, sources, splits, augmentation and preprocessing.

May import `engine`, `progress`, `files`, `errors`; never Keras or TensorFlow.
"""
