"""What one update is: the ordinary one, optimizers that evaluate themselves, and simulations.

An update is called once per step with its micro-batches and rates, and returns what is logged.
"""
