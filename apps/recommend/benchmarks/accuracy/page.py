"""A contest as the same HTML page that evaluations get."""

import time

from apps.recommend.benchmarks.accuracy.figures import Entry, Outcome
from apps.recommend.engine.evaluation import html_report
from apps.recommend.engine.evaluation.report import Difference, Evaluation, Figure, Report, Timing


def page(outcome: Outcome, seed: int) -> str:
    """One standalone page with tables and plots."""
    data, recipe = outcome.dataset, outcome.recipe
    entries = [*outcome.results, recipe.measured]
    evaluation = Evaluation(
        n_users=data["tested_users"],
        n_observations=data["tested_users"],
        n_items=data["items"],
        n_train_events=data["train_pairs"],
        n_truth=data["test_pairs"],
        at=0,
        until=0,
        new_only=True,
        figures=[figure for entry in entries for figure in _figures(entry)],
        differences=_differences(outcome),
        timings={one.algorithm: Timing(one.costs.fit_seconds, one.costs.evaluate_seconds) for one in entries},
        skipped={},
        stopped="".join(f"Left out: {what}. " for what in outcome.cut_short).strip(),
    )
    weights = {
        name: {"weight": recipe.mix.warm[name], "cold_weight": recipe.mix.cold[name]} for name in recipe.mix.warm
    }
    report = Report(
        title="Accuracy on a given split",
        made_at=int(time.time()),
        data=f"Learned from {data['train']}, asked about {data['test']}; tuned on a part of the first alone",
        cores=data["cores"],
        seed=seed,
        tasks={"new items, all ranked": evaluation},
        parameters={**{one.algorithm: one.parameters for one in outcome.results}, "recipe": weights},
    )
    return html_report.page(report)


def _figures(entry: Entry) -> list[Figure]:
    measured = [("recall@20", entry.recall), ("ndcg@20", entry.ndcg)]
    found = [Figure(entry.algorithm, metric, one.mean, one.low, one.high) for metric, one in measured]
    return [*found, Figure(entry.algorithm, "coverage@20", entry.coverage, None, None)]


def _differences(outcome: Outcome) -> list[Difference]:
    found = []
    for name, tests in outcome.recipe.minus.items():
        for metric, one in zip(("recall@20", "ndcg@20"), tests, strict=True):
            change = (one.difference.mean, one.difference.low, one.difference.high)
            users = (one.wins, one.ties, one.losses)
            found.append(Difference("recipe", name, metric, *change, one.p_value, one.wilcoxon_p, *users))
    return found
