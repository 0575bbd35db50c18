"""What can be trained: the catalogue, small networks, pre-trained bases and their features.

May import `recipe`, `data` and below; not `judging`.
"""

import os

# Settled before Keras is first imported. A person's own setting wins.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings of TensorFlow's C++ side say nothing to a user
