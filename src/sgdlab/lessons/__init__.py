"""Lessons: a few short runs, a plot and two sentences whose numbers come from the runs.

A lesson is one YAML file in ``conf/experiment/lessons``; see `sgdlab.lessons.lesson`.
"""
