"""Learning-rate schedules, one per file.

Any callable ``(step, total_steps, steps_per_epoch) -> factor`` on the learning rate will do:
`sgdlab.schedules.base.as_schedule` makes it a `sgdlab.schedules.base.Schedule`. Optional are a
method ``momentum`` with the same arguments and, for one that follows the validation loss,
``observe``, ``state_dict`` and ``load_state_dict`` (`sgdlab.schedules.plateau.Plateau`).
"""
