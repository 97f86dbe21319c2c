"""Stochastic gradient steps of Bayesian personalised ranking, compiled. Import it only where one trains."""

import numpy as np

from apps.recommend.engine.compiled import compiled


@compiled
def descend(  # type: ignore[no-untyped-def]
    users, wanted, others, of_users, of_items, bias, rate, pull
):
    """One step for each (user, wanted item, other item), in this order; changes `of_users`, `of_items` and `bias`.

    S. Rendle et al. 2009, figure 4: theta += rate (sigmoid(-x) dx/dtheta - pull theta), x = x_ui - x_uj.
    """
    width = of_users.shape[1]
    for at in range(len(users)):
        user, item, other = of_users[users[at]], of_items[wanted[at]], of_items[others[at]]
        apart = bias[wanted[at]] - bias[others[at]]
        for k in range(width):
            apart += user[k] * (item[k] - other[k])
        slope = np.float32(1) / (np.float32(1) + np.exp(apart))
        for k in range(width):
            u, i, j = user[k], item[k], other[k]
            user[k] += rate * (slope * (i - j) - pull * u)
            item[k] += rate * (slope * u - pull * i)
            other[k] += rate * (-slope * u - pull * j)
        bias[wanted[at]] += rate * (slope - pull * bias[wanted[at]])
        bias[others[at]] += rate * (-slope - pull * bias[others[at]])
