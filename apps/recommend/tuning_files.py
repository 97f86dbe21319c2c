"""Pipelines and models as TOML text: what tuning found, in the form that people write."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.recommend.engine.blend import askable
from apps.recommend.engine.merge import Weights
from apps.recommend.engine.pipeline import PipelineSpec, SourceSpec

DIGITS = 3


def tuned_spec(spec: PipelineSpec, weights: Weights, smallest: float) -> PipelineSpec:
    """`spec` with `weights`, which are those of its askable sources, in their order.

    Sources that count less than `smallest` of the largest, cold and warm, are left out. The largest weight stays
    what it was, so that sources that could not be tuned keep their proportion to it.
    """
    tuned = [source for source in spec.sources if askable(source)]
    was = max(max(source.weight, source.cold_weight or 0.0) for source in tuned)
    largest = float(max(weights.warm.max(), weights.cold.max()))
    sources: list[SourceSpec] = []
    place = 0
    for source in spec.sources:
        if not askable(source):
            sources.append(source)
            continue
        warm, cold = (float(each[place]) / largest for each in (weights.warm, weights.cold))
        place += 1
        if max(warm, cold) >= smallest:
            new = {"weight": round(warm * was, DIGITS), "cold_weight": round(cold * was, DIGITS)}
            sources.append(source.model_copy(update=new))
    half = float(np.round(weights.half, 1)) or spec.history_half
    return spec.model_copy(update={"sources": tuple(sources), "history_half": half})


def pipeline_text(spec: PipelineSpec) -> str:
    """The TOML of a pipeline; `PipelineSpec.read` gives it back."""
    head = {"label": spec.label, "personal": spec.personal, "history_half": spec.history_half}
    head |= {"calibration": spec.calibration}
    head |= {"label_with_item": spec.label_with_item, "stands_alone": spec.stands_alone}
    lines = _pairs({key: value for key, value in head.items() if value != PipelineSpec.model_fields[key].default})
    for source in spec.sources:
        own = {key: getattr(source, key) for key in ("weight", "cold_weight", "limit", "reason")}
        kept = {key: value for key, value in own.items() if value != SourceSpec.model_fields[key].default}
        lines += ["", "[[sources]]", *_pairs({"use": source.use} | source.config | {"weight": source.weight} | kept)]
    for stage in spec.stages:
        lines += ["", "[[stages]]", *_pairs({"use": stage.use} | stage.config)]
    return "\n".join(lines) + "\n"


def model_tables(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The TOML of models, as `models.toml` holds them."""
    blocks = ["\n".join([f"[{name}]", *_pairs(table)]) for name, table in tables.items()]
    return "\n\n".join(blocks) + "\n"


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)
