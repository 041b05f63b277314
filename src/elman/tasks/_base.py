"""scikit-learn's base of estimators, or how to come by it: imported before all else that they need."""

from elman._extras import Extra

with Extra("train", ("scikit-learn", "msgspec")).needed_by("elman.tasks"):
    from sklearn.base import BaseEstimator, ClassifierMixin, clone
    from sklearn.utils.validation import check_is_fitted

__all__ = ["BaseEstimator", "ClassifierMixin", "check_is_fitted", "clone"]
