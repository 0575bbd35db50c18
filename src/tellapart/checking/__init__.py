"""The data doctor: reports what may be wrong with labelled images before a classifier is trained on them.

Owns the findings. May import models, judging, data and the layers below.
"""
