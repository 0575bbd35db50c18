"""What can be trained: the catalogue, small networks, pre-trained bases and their features.

May import `recipe`, `data` and below; not `judging`.
"""
