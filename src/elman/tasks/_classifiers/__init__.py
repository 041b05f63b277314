"""Classifiers, of texts and of sequences of numbers: how they are trained and what their files hold."""
