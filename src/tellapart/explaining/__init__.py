"""Explanations of predictions: saliency maps over an image, each with scores of its faithfulness.

May import `studies` and below. Only `gradcam`, `layers` and `layer_hooks` use Keras, so that the service needs none.
"""
