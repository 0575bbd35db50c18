"""The classifier that leaves: written, read, verified, and asked about pictures.

May import `judging`, `data` and below; never Keras or TensorFlow.
"""
