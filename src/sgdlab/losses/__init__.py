"""Losses, one per file: called ``loss(output, target)``, a mean over examples.

A constructor that takes ``task`` is told the dataset's task.
"""
