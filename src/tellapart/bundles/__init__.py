"""The classifier that leaves: written, read, verified, and asked about images.

May import `judging`, `data` and below; never Keras or TensorFlow.
"""
