"""Losses, one per file: called ``loss(output, target)``, a mean over examples.

A constructor that takes ``task`` is told the dataset's task, one that takes ``num_outputs`` how
many classes or values there are, one that takes ``class_counts`` how many training examples each
class has (None where targets are no classes). What else a loss may say of itself, as attributes or
methods, is read by `sgdlab.losses.contract`.
"""
