"""The loop that one writes in JAX: a jitted scan of steps, mapped over runs. A peer of ``sweep``.

Run as a program, in a process of its own, since threads and flags are set before the first import:
``python jax_loop.py RUNS STEPS THREADS`` prints seconds of a run's step, by the clock and of a
processor.
"""

import os
import sys
import time

RUNS, STEPS, THREADS = map(int, sys.argv[1:4])
os.environ["XLA_FLAGS"] = "" if THREADS > 1 else "--xla_cpu_multi_thread_eigen=false"
if THREADS == 1 and hasattr(os, "sched_setaffinity"):
    # XLA's pool has a thread for each core that it may use.
    core = sorted(os.sched_getaffinity(0))[int(sys.argv[4]) if len(sys.argv) > 4 else 0]
    os.sched_setaffinity(0, {core})

import jax  # noqa: E402  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # noqa: E402  # pyright: ignore[reportMissingImports]
import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

MOMENTUM, DECAY, BATCH = 0.9, 1e-4, 64


def initial(seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)

    def layer(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
        bound = n**-0.5
        weights = draw.uniform(-bound, bound, (n, m)).astype(np.float32)
        return weights, draw.uniform(-bound, bound, m).astype(np.float32)

    (w1, b1), (w2, b2) = layer(64, 64), layer(64, 10)
    return {"w1": w1, "b1": b1, "w2": w2, "b2": b2}


def loss_of(params: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    hidden = jax.nn.relu(x @ params["w1"] + params["b1"])
    logs = jax.nn.log_softmax(hidden @ params["w2"] + params["b2"])
    return -jnp.take_along_axis(logs, y[:, None], 1).mean()


def main() -> None:
    x, y = load_digits(return_X_y=True)
    x = jnp.asarray((x - x.mean()) / x.std(), jnp.float32)[:1079]
    y = jnp.asarray(y)[:1079]
    per_epoch = len(x) // BATCH

    def steps(params, buffers, lr, order):
        def step(state, index):
            params, buffers = state
            loss, grads = jax.value_and_grad(loss_of)(params, x[index], y[index])
            norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
            grads = jax.tree.map(lambda g, w: g + DECAY * w, grads, params)
            buffers = jax.tree.map(lambda b, g: MOMENTUM * b + g, buffers, grads)
            params = jax.tree.map(
                lambda w, g, b: w - lr * (g + MOMENTUM * b), params, grads, buffers
            )
            return (params, buffers), (loss, norm)

        (params, buffers), logs = jax.lax.scan(step, (params, buffers), order)
        return params, buffers, logs

    one = RUNS == 1
    made = [initial(seed) for seed in range(RUNS)]
    params = made[0] if one else jax.tree.map(lambda *own: np.stack(own), *made)
    buffers = jax.tree.map(np.zeros_like, params)
    lr = np.float32(0.05) if one else np.float32(0.05) * (1 + np.arange(RUNS) / RUNS)
    run = jax.jit(steps if one else jax.vmap(steps))

    def orders(epoch: int) -> np.ndarray:
        own = [
            np.random.default_rng((seed, epoch)).permutation(len(x))[: per_epoch * BATCH]
            for seed in range(RUNS)
        ]
        found = np.stack(own).reshape(RUNS, per_epoch, BATCH).astype(np.int32)
        return found[0] if one else found

    epochs = max(1, STEPS // per_epoch)
    params, buffers, logs = jax.block_until_ready(run(params, buffers, lr, orders(0)))
    drawn = [orders(1 + epoch) for epoch in range(epochs)]
    start, busy = time.perf_counter(), time.process_time()
    for order in drawn:
        params, buffers, logs = run(params, buffers, lr, order)
        loss, _ = jax.device_get(logs)  # as a log needs them
    times = time.perf_counter() - start, time.process_time() - busy
    if not np.isfinite(loss).all():
        raise SystemExit("the loss is not finite")
    print(*(seconds / epochs / per_epoch / RUNS for seconds in times))


main()
