"""Lessons: questions about telling images apart, each answered by an experiment that checks its own claim.

`table.NAMES` lists them in teaching order; a file per question. May import everything but the command line. A lesson
uses tellapart as anybody would who imports it, and scikit-learn.
"""
