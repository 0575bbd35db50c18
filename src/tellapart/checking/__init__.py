"""The data doctor: what may be wrong with labelled images, said before a classifier is trained on them.

Owns the findings. May import models, judging, data and what lies below.
"""
