"""Bundles: the trained classifier as a folder, which is verified, evaluated, calibrated and used for prediction.

May import `judging`, `data` and below; never Keras or TensorFlow.
"""
