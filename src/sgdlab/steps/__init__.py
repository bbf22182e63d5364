"""What one update is: the ordinary one, optimizers that evaluate themselves, and simulations.

A stepper is called once per update with its batches and rates, and returns what is logged.
"""
