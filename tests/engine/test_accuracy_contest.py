"""The accuracy benchmark decides everything on the training file, and says what it measured."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.recommend.benchmarks.accuracy import contest, tuned
from apps.recommend.benchmarks.accuracy.contest import Unreadable, hold
from apps.recommend.benchmarks.accuracy.parts import Asked, fitted
from apps.recommend.benchmarks.accuracy.rules import Rules, rules_of
from apps.recommend.engine.errors import NotEnoughData

QUICK: dict[str, Any] = {"entrants": ("rp3beta", "item_knn", "popularity"), "trials": 2}


def lines(rows: list[list[int]]) -> str:
    return "\n".join(" ".join(map(str, row)) for row in rows) + "\n"


def split(folder: Path, *, seed: int = 1, users: int = 120, last: int = 4) -> tuple[Path, Path]:
    """A train and a test file of users who want one of six groups of items each; ids have gaps."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for user in range(users):
        group = np.arange(20) * 6 + user % 6
        wanted = rng.choice(group, size=14, replace=False) * 2 + 1
        train.append([user * 3, *sorted(wanted[last:])])
        test.append([user * 3, *wanted[:last]])
    folder.mkdir(exist_ok=True)
    (folder / "train.txt").write_text(lines(train))
    (folder / "test.txt").write_text(lines(test))
    return folder / "train.txt", folder / "test.txt"


@pytest.fixture(autouse=True)
def few_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "MIX_TRIALS", 12)


def test_recall_and_ndcg_are_those_worked_out_by_hand() -> None:
    truth = np.zeros((2, 30), np.float32)
    truth[0, [3, 7]] = 1
    truth[1, [1, 2, 4]] = 1
    from scipy import sparse

    asked = Asked(sparse.csr_matrix((2, 30), dtype=np.float32), sparse.csr_matrix(truth))
    lists = np.array([[7, 9, 3], [5, 2, -1]], dtype=np.int32)
    ideal = [1 + 1 / np.log2(3), 1 + 1 / np.log2(3) + 0.5]
    expected = [[1.0, (1 + 0.5) / ideal[0]], [1 / 3, (1 / np.log2(3)) / ideal[1]]]
    np.testing.assert_allclose(asked.per_user(lists), expected)


def test_another_test_file_leaves_every_decision_byte_for_byte_the_same(tmp_path: Path) -> None:
    train, test = split(tmp_path / "one")
    other = split(tmp_path / "other", seed=5, last=2)[1]
    found = [json.loads(hold(train, file, Rules(**QUICK)).to_json()) for file in (test, other)]
    decided = [json.dumps([[entry["parameters"] for entry in one["results"]], one["recipe"]["parts"]]) for one in found]
    assert decided[0] == decided[1]
    assert found[0]["recipe"]["ndcg@20"] != found[1]["recipe"]["ndcg@20"]


def test_the_figures_have_the_promised_names_and_tell_taste_from_popularity(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    content = json.loads(hold(train, test, Rules(**QUICK)).to_json())
    assert content["dataset"]["users"] == 120
    assert {one["algorithm"] for one in content["results"]} == set(QUICK["entrants"])
    for one in content["results"]:
        assert set(one) == {
            "algorithm", "recall@20", "ndcg@20", "recall@20_ci95", "ndcg@20_ci95", "coverage@20",
            "fit_seconds", "evaluate_seconds", "peak_rss_mb", "parameters",
        }  # fmt: skip
        assert one["recall@20_ci95"][0] <= one["recall@20"] <= one["recall@20_ci95"][1]
    by_name = {one["algorithm"]: one for one in content["results"]}
    assert by_name["rp3beta"]["recall@20"] > 0.95 > by_name["popularity"]["recall@20"]
    recipe = content["recipe"]
    assert {"name", "parts", "recall@20", "ndcg@20", "tune_seconds", "fit_seconds"} <= set(recipe)
    assert recipe["recall@20"] > 0.95


def test_a_gzip_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(train.read_bytes()))
    plain, gzipped = (
        json.loads(hold(file, test, Rules(**QUICK)).to_json())["recipe"]["parts"] for file in (train, packed)
    )
    assert plain == gzipped


def test_an_interrupted_run_is_taken_up_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = split(tmp_path)
    out = tmp_path / "result.json"
    rules = Rules(entrants=("graph_filter",), trials=4)
    whole = json.loads(hold(train, test, rules).to_json())
    fits = []
    fitted = tuned.fitted

    def counted(algorithm: str, parameters: Any, *rest: Any) -> Any:
        fits.append(dict(parameters))
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fitted(algorithm, parameters, *rest)

    monkeypatch.setattr(tuned, "fitted", counted)
    with pytest.raises(KeyboardInterrupt):
        hold(train, test, rules, out)
    resumed = json.loads(hold(train, test, rules, out).to_json())
    assert resumed["results"][0]["parameters"] == whole["results"][0]["parameters"]
    assert len(fits) <= 3 + 3  # the third again, the fourth, and perhaps the best one for its lists
    assert not list(tmp_path.glob("*.journal*"))


def test_without_time_it_stops_with_what_it_has_and_says_so(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    rules = Rules(entrants=("graph_filter", "rp3beta"), trials=5, budget_minutes=1e-6)
    content = json.loads(hold(train, test, rules).to_json())
    assert any("of graph_filter: no time" in what for what in content["cut_short"])
    assert content["recipe"]["parts"]
    assert len(content["results"]) == 2


def test_given_parameters_are_kept_and_nothing_is_tuned_with_no_trials(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    rules = rules_of(
        "graph_filter",
        ["graph_filter.dimensions=7", "graph_filter.sharpening=1.5"],
        validation_fraction=0.1,
        budget_minutes=1.0,
        trials=0,
        seed=0,
    )
    content = json.loads(hold(train, test, rules).to_json())
    assert content["results"][0]["parameters"] == {"binary": True, "dimensions": 7, "sharpening": 1.5}


def test_one_algorithm_with_nothing_to_tune_is_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    for module in (contest, tuned):
        monkeypatch.setattr(module, "fitted", lambda name, *rest: fits.append(name) or fitted(name, *rest))
    train, test = split(tmp_path)
    content = json.loads(hold(train, test, Rules(entrants=("ease",), trials=0)).to_json())
    assert fits == ["ease"]
    assert content["results"][0]["recall@20"] == content["recipe"]["recall@20"] > 0.9
    assert "solver" not in content["results"][0]["parameters"]  # quicker than exact only where there are trials


def test_all_links_that_memory_cannot_hold_are_refused_with_the_reason(tmp_path: Path) -> None:
    rules = Rules(entrants=("ease",), trials=0, fixed={"ease": {"keep": "all", "memory_gb": 1e-6}})
    with pytest.raises(MemoryError, match="memory_gb = 1e-06"):
        hold(*split(tmp_path), rules)


def test_the_number_of_trials_depends_on_parameters_data_and_budget_only() -> None:
    small, large = Rules().trials_of("rp3beta", 10_000), Rules().trials_of("rp3beta", 2_000_000)
    assert small > Rules().trials_of("ease", 10_000) > 1
    assert large == pytest.approx(small / 2, abs=1)
    assert Rules(budget_minutes=15).trials_of("rp3beta", 10_000) == large
    assert Rules().trials_of("rp3beta", 10**9) == 4
    assert Rules().trials_of("popularity", 10_000) == 0


def test_repeated_pairs_gaps_and_users_without_items_are_no_harm(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    train.write_text(train.read_text() + "1\n0 1 1 1\n4 5\n")
    test.write_text(test.read_text() + "1 3\n99999 1 5000\n")
    content = json.loads(hold(train, test, Rules(**QUICK)).to_json())
    assert content["dataset"]["test_users_without_history"] == 2
    assert content["dataset"]["tested_users"] == 120


@pytest.mark.parametrize("text", ["0 1 x\n", "0 -1\n", "0 1.5\n", "0 99999999999999999999\n"])
def test_a_line_that_is_not_whole_numbers_is_named(tmp_path: Path, text: str) -> None:
    train, test = split(tmp_path)
    train.write_text("0 1 2\n" + text)
    with pytest.raises(Unreadable, match="line 2"):
        hold(train, test, Rules(**QUICK))


def test_a_missing_file_is_said_at_once(tmp_path: Path) -> None:
    train, test = split(tmp_path)
    with pytest.raises(Unreadable, match=r"none\.txt"):
        hold(train, tmp_path / "none.txt", Rules(**QUICK))
    with pytest.raises(Unreadable, match=r"none\.txt"):
        hold(tmp_path / "none.txt", test, Rules(**QUICK))


@pytest.mark.parametrize("content", ["", "0\n1\n", "0 1\n"])
def test_too_little_to_learn_from_is_said(tmp_path: Path, content: str) -> None:
    test = split(tmp_path)[1]
    train = tmp_path / "small.txt"
    train.write_text(content)
    with pytest.raises(NotEnoughData):
        hold(train, test, Rules(**QUICK))


@pytest.mark.parametrize(
    ("algorithms", "fixed", "others"),
    [
        ("nonsense", [], {}),
        ("", [], {}),
        ("rp3beta,rp3beta", [], {}),
        ("rp3beta", ["item_knn.neighbours=3"], {}),
        ("rp3beta", ["rp3beta.colour=3"], {}),
        ("rp3beta", ["rp3beta.alpha=blue"], {}),
        ("rp3beta", [], {"validation_fraction": 0.0}),
        ("rp3beta", [], {"budget_minutes": 0.0}),
        ("rp3beta", [], {"trials": -1}),
    ],
)
def test_rules_that_make_no_sense_are_refused(algorithms: str, fixed: list[str], others: dict[str, Any]) -> None:
    usual = {"validation_fraction": 0.1, "budget_minutes": 1.0, "trials": None, "seed": 0}
    with pytest.raises(ValueError, match=r"--|alpha"):
        rules_of(algorithms, fixed, **{**usual, **others})


def test_an_algorithm_that_needs_too_much_memory_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = split(tmp_path)
    fitted = tuned.fitted

    def scarce(algorithm: str, *rest: Any) -> Any:
        if algorithm == "item_knn":
            raise MemoryError
        return fitted(algorithm, *rest)

    monkeypatch.setattr(tuned, "fitted", scarce)
    content = json.loads(hold(train, test, Rules(**QUICK)).to_json())
    assert [one["algorithm"] for one in content["results"]] == ["rp3beta", "popularity"]
    assert content["cut_short"] == ["item_knn: there is not enough memory for it"]
    monkeypatch.setattr(tuned, "fitted", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError, match="any of the algorithms"):
        hold(train, test, Rules(**QUICK))


def test_sets_of_parameters_that_memory_did_not_allow_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def scarce(algorithm: str, *rest: Any) -> Any:
        asked.append(algorithm)
        if len(asked) == 2:
            raise MemoryError
        return fitted(algorithm, *rest)

    monkeypatch.setattr(tuned, "fitted", scarce)
    content = json.loads(hold(*split(tmp_path), Rules(entrants=("rp3beta",), trials=3)).to_json())
    assert content["cut_short"] == ["1 of 3 sets of parameters of rp3beta: not enough memory"]
