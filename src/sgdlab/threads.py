"""How many threads a run on CPU uses."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from sgdlab.build import Setup

# Measured on 2 cores, MLPs and CNNs of 1 to 220 MFLOP: below this, two threads gain at most a
# fifth on an idle machine, and on a busy one they wait for each other, up to 30 times longer.
SMALL = 50_000_000


def threads_for(run: Setup, asked: int | None) -> int:
    """Return ``threads`` of the config, or what suits the size of the model.

    A run whose forward pass of one micro-batch takes under 50 million floating-point operations
    gets one thread, any other torch's default. The choice depends on the config alone, never on
    the load of the machine, since sums of another number of threads differ in the last bits.
    """
    if asked is not None:
        return asked
    default = torch.get_num_threads()
    if run.device.type != "cpu" or default == 1:
        return default
    training = run.model.training
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            run.model.eval()(run.data.train.x[:1])
    except Exception:  # a model that cannot run says so in its first step, with its traceback
        return default
    finally:
        run.model.train(training)
    return 1 if counter.get_total_flops() * run.plan.batch_size < SMALL else default
