"""Random changes of training batches, on their device: a file each, and what strings them together.

A change is a pure function of a batch and of the choices that were drawn for it. What is drawn
depends on the seed of the run and the number of the update alone: a resumed run needs nothing more,
and micro-batches of an update see what the one large batch would.
"""
