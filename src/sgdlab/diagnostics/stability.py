"""The curvature up to which an optimizer is stable, as functions of its settings.

All of them concern one coordinate of curvature ``h`` on which the optimizer's divisor is frozen
(``h`` stands for the curvature over it), without noise: its gradient is ``h·x``, so that the
iterates follow a linear recurrence. They contract if and only if all roots of its characteristic
polynomial ``p(z)`` lie inside the unit circle. For ``p(z) = z² + b·z + c`` that is (Jury)::

    p(1) > 0,  p(-1) > 0,  c < 1

``p(1)`` is ``lr·h`` times a positive number, and the product ``c`` of the roots never gets there
first, so ``p(-1) = 0`` is the limit: iterates that alternate in sign. Weight decay that is coupled
to the gradient adds to ``h``; decoupled decay ``w <- (1 - lr·wd)·w`` moves a limit down by about
the share ``lr·wd/2``, which is left out.

Near a minimum with mini-batches, or on a loss that is no quadratic, the limit is where oscillation
starts, not where training fails: full-batch training settles right at it (Cohen et al. 2021, 2022).
"""

import math


def gradient_descent(lr: float) -> float:
    """Return ``2/lr``, from ``x <- (1 - lr·h)·x``: ``|1 - lr·h| < 1``.

    Also RMSprop's without momentum, Adagrad's, and Kiefer and Wolfowitz's.
    """
    return _over(2.0, lr)


def heavy_ball(lr: float, momentum: float, dampening: float = 0.0) -> float:
    """Return ``2(1 + β)/((1 - τ)·lr)`` for ``v <- β·v + (1 - τ)·g``; ``w <- w - lr·v``.

    ``p(z) = z² - (1 + β - (1 - τ)·lr·h)·z + β`` and ``p(-1) = 2(1 + β) - (1 - τ)·lr·h``. Also
    Keras's form at a constant rate, and RMSprop's with momentum.

    Source: Polyak (1964); Cohen, Kaur, Li, Kolter and Talwalkar (2021), appendix B.
    """
    return _over(2 * (1 + momentum) / (1 - dampening) if dampening < 1 else math.inf, lr)


def nesterov(lr: float, momentum: float) -> float:
    """Return ``2(1 + β)/((1 + 2β)·lr)`` for ``v <- β·v + g``; ``w <- w - lr·(g + β·v)``.

    ``p(z) = z² - (1 + β)(1 - lr·h)·z + β·(1 - lr·h)`` and
    ``p(-1) = 2(1 + β) - lr·h·(1 + 2β)``. Also the look-ahead form, whose iterates are these after a
    change of variables.
    """
    return _over(2 * (1 + momentum) / (1 + 2 * momentum), lr)


def adam(lr: float, beta: float) -> float:
    """Return ``2(1 + β)/((1 - β)·lr)`` for ``m <- β·m + (1 - β)·g``; ``w <- w - lr·m``.

    The heavy ball with dampening ``β``: 38/lr for ``β = 0.9``. All of Adam's divisor, bias
    corrections included, belongs to ``h``.

    Source: Cohen, Ghorbani, Krishnan, Agarwal, Medapati et al. (2022), "Adaptive gradient methods
    at the edge of stability".
    """
    return heavy_ball(lr, beta, beta)


def mixed(lr: float, beta: float, of_gradient: float, of_average: float) -> float:
    """Return the limit of ``m <- β·m + (1 - β)·g``; ``w <- w - lr·(a·g + b·m)``.

    ``p(z) = (z - 1)(z - β) + lr·h·(a·(z - β) + b·(1 - β)·z)`` and
    ``p(-1) = 2(1 + β) - lr·h·(a·(1 + β) + b·(1 - β))``, so the limit is
    ``2(1 + β)/((a·(1 + β) + b·(1 - β))·lr)``. The product of the roots, ``β·(1 - lr·h·a)``, stays
    above -1 up to there for all ``a, b`` from 0.

    Args:
        lr: Learning rate.
        beta: ``β``.
        of_gradient: ``a``.
        of_average: ``b``.
    """
    return _over(2 * (1 + beta) / (of_gradient * (1 + beta) + of_average * (1 - beta)), lr)


def nadam(lr: float, beta: float) -> float:
    """Return ``2(1 + β)/((1 - β)(1 + 2β)·lr)``: `mixed` with ``a = 1 - β`` and ``b = β``.

    NAdam's weights once its momentum schedule has reached ``β`` and its corrections are 1.
    """
    return mixed(lr, beta, 1 - beta, beta)


def nadam_weights(beta: float, decay: float, step: int, product: float) -> tuple[float, float]:
    """Return the weights ``a, b`` of gradient and average in NAdam's step ``t``; see `mixed`.

    ``a = (1 - μ_t)/(1 - Π_{i<=t} μ_i)``, ``b = μ_{t+1}/(1 - Π_{i<=t+1} μ_i)``, with
    ``μ_t = β·(1 - 0.96^(t·decay)/2)``.

    Args:
        beta: ``β``.
        decay: ``momentum_decay``.
        step: ``t``, from 1.
        product: ``Π_{i<=t} μ_i``.
    """
    now, then = (beta * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1))
    return (1 - now) / (1 - product), then / (1 - product * then)


def schedule_free(lr: float, beta: float, share: float) -> float:
    """Return ``(4 - 2c)/(((1 - β)(2 - c) + β·c)·lr)``, with ``c`` the newest iterate's share.

    ``y = (1 - β)·z + β·x``; ``z <- z - lr·h·y``; ``x <- (1 - c)·x + c·z``. As a matrix on ``z, x``
    its trace is ``2 - c - lr·h·(1 - β + c·β)`` and its determinant
    ``(1 - c)(1 - lr·h·(1 - β))``; ``p(-1)`` is 1 plus both. As ``c`` falls the limit rises from
    ``2/lr`` to ``2/((1 - β)·lr)``. Concerns the curvature at ``y``, where gradients are taken.
    """
    return _over((4 - 2 * share) / ((1 - beta) * (2 - share) + beta * share), lr)


def _over(limit: float, lr: float) -> float:
    return limit / lr if lr > 0 else math.inf
