"""Model catalogue, small networks, pre-trained backbones and their features, estimators, and OOD scores.

May import `recipe`, `data` and below; not `judging`.
"""
