"""Import of Keras models from elsewhere: checked without running code, then wrapped as classifiers."""
