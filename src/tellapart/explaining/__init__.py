"""Why a classifier answers as it does: maps over an image, each with a score that says what the map is worth.

May import `studies` and below. Only `gradcam` and `layers` know Keras: what the service shows must not need it.
"""
