"""Closed forms of the theory, run through the optimizers, schedules and trainer that users run."""
