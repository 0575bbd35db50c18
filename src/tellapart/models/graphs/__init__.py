"""OpenVINO graphs: converted from Keras, built for estimators, cut and joined."""
