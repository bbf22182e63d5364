"""Learning-rate schedules, one per file.

Any callable ``(step, total_steps, steps_per_epoch) -> factor`` on the learning rate will do.
"""
