"""Stochastic gradient steps of Bayesian personalised ranking, compiled. Import it only where one trains."""

import numpy as np

from apps.recommend.engine.compiled import compiled


@compiled
def _wants(had, first, last, item):  # type: ignore[no-untyped-def]
    """Whether `item` is in the ascending had[first:last]."""
    end = last
    while first < last:
        middle = (first + last) // 2
        if had[middle] < item:
            first = middle + 1
        else:
            last = middle
    return first < end and had[first] == item


@compiled
def descend(  # type: ignore[no-untyped-def]
    users, wanted, drawn, starts, had, factors, squares, rate, user_pull, item_pull
):
    """One step for each user, wanted item and row of `drawn` items, in this order; changes `factors` and `squares`.

    The step sets the wanted item apart from the drawn one that now ranks highest of those the user does not have;
    where they have all, there is none. What they have is had[starts[user]:starts[user + 1]], ascending.

    `factors` are those of users and items, and the items' bias; `squares` has an entry for each of their rows: START
    and what its gradients' squares sum up to, a mean over the row each time. A gradient, as of S. Rendle et al. 2009,
    figure 4, is sigmoid(-x) dx/dtheta - pull theta, x = x_ui - x_uj; a step is rate / sqrt(squares) times as long
    (J. Duchi, E. Hazan, Y. Singer: Adaptive Subgradient Methods, JMLR 12, 2011, one rate for each row).
    """
    of_users, of_items, bias = factors
    of_user_squares, of_item_squares, bias_squares = squares
    width = of_users.shape[1]
    one, nothing = np.float32(1), np.float32(0)
    for at in range(len(users)):
        who, item = users[at], wanted[at]
        user, yes = of_users[who], of_items[item]
        other, highest = -1, nothing
        for k in range(drawn.shape[1]):
            candidate = drawn[at, k]
            if not _wants(had, starts[who], starts[who + 1], candidate):
                score = bias[candidate]
                for d in range(width):
                    score += user[d] * of_items[candidate, d]
                if other < 0 or score > highest:
                    other, highest = candidate, score
        if other < 0:
            continue
        no = of_items[other]
        apart = bias[item] - highest
        for d in range(width):
            apart += user[d] * yes[d]
        slope = one / (one + np.exp(apart))
        of_user, of_yes, of_no = nothing, nothing, nothing
        for d in range(width):
            u, i, j = user[d], yes[d], no[d]
            of_user += (slope * (i - j) - user_pull * u) ** 2
            of_yes += (slope * u - item_pull * i) ** 2
            of_no += (slope * u + item_pull * j) ** 2
        of_user_squares[who] += of_user / width
        of_item_squares[item] += of_yes / width
        of_item_squares[other] += of_no / width
        user_rate = rate / np.sqrt(of_user_squares[who])
        yes_rate = rate / np.sqrt(of_item_squares[item])
        no_rate = rate / np.sqrt(of_item_squares[other])
        for d in range(width):
            u, i, j = user[d], yes[d], no[d]
            user[d] += user_rate * (slope * (i - j) - user_pull * u)
            yes[d] += yes_rate * (slope * u - item_pull * i)
            no[d] -= no_rate * (slope * u + item_pull * j)
        up, down = slope - item_pull * bias[item], slope + item_pull * bias[other]
        bias_squares[item] += up**2
        bias_squares[other] += down**2
        bias[item] += rate / np.sqrt(bias_squares[item]) * up
        bias[other] -= rate / np.sqrt(bias_squares[other]) * down
