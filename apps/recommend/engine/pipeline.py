"""A pipeline: candidate sources, then stages, read from TOML. Running one is a loop with a trace."""

import hashlib
import json
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.recommend.engine.context import Context
from apps.recommend.engine.merge import HISTORY_HALF, Calibration, Part, merge
from apps.recommend.engine.protocols import CandidateSource, Stage
from apps.recommend.engine.registries import SOURCES, STAGES
from apps.recommend.engine.types import Query, Slate


class _Step(BaseModel):
    """One table of the TOML: the keys named here, and the plug-in's own configuration in all the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: str
    config: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, table: dict[str, Any]) -> dict[str, Any]:
        if "config" in table:
            return table
        own = {key: value for key, value in table.items() if key in cls.model_fields and key != "config"}
        return {**own, "config": {key: value for key, value in table.items() if key not in cls.model_fields}}


class SourceSpec(_Step):
    """`[[sources]]`: a source, what it counts in the blend, how many candidates it gives, what it tells shoppers."""

    weight: float = Field(default=1.0, ge=0)
    cold_weight: float | None = Field(default=None, ge=0)  # what it counts for a user without history; None: the same
    limit: int = Field(default=200, ge=1, le=2000)
    reason: str = "taste"  # see reasons.py

    @property
    def name(self) -> str:
        """What entries call this source: the model it asks, else the plug-in's own name."""
        return str(self.config.get("model", self.use))


class StageSpec(_Step):
    """`[[stages]]`: a stage."""


class PipelineSpec(BaseModel):
    """A pipeline's TOML file, checked. Raises pydantic.ValidationError for unknown keys and wrong types."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    label: str
    personal: bool = True  # depends on who asks; a pipeline that does not is cached once for everybody
    history_half: float = Field(
        default=HISTORY_HALF, gt=0
    )  # items of history at which weights stand between cold and warm
    calibration: Calibration = "spread"  # how sources' scores are made comparable; see merge.calibrated
    sources: tuple[SourceSpec, ...] = Field(min_length=1)
    stages: tuple[StageSpec, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "PipelineSpec":
        """The pipeline in `path`, named after the file."""
        return cls(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if all(source.weight == 0 and not source.cold_weight for source in self.sources):
            raise ValueError("no source has a weight above 0")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models its parts ask, in order, without repeats."""
        asked = [step.config.get(key) for step in (*self.sources, *self.stages) for key in ("model", "meaning")]
        return tuple(dict.fromkeys(name for name in asked if name))

    def digest(self) -> str:
        """Eight bytes, in hexadecimal, that change with anything in the file."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class TraceStep:
    """What one step made of the candidates."""

    name: str
    candidates: int
    took_ms: float


@dataclass(frozen=True, eq=False)
class Answer:
    """A pipeline's slate and how it came about."""

    slate: Slate
    trace: tuple[TraceStep, ...] = field(default=())


class Pipeline:
    """A spec with its plug-ins built. Raises PluginError or pydantic.ValidationError where one does not fit."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self._sources: list[tuple[SourceSpec, CandidateSource]] = [
            (source, SOURCES.create(source.use, source.config)) for source in spec.sources
        ]
        self._stages: list[tuple[StageSpec, Stage]] = [
            (stage, STAGES.create(stage.use, stage.config)) for stage in spec.stages
        ]

    def run(self, query: Query, context: Context) -> Answer:
        """The pipeline's candidates for `query`, best first: as many as its sources' limits let through."""
        trace: list[TraceStep] = []
        started = time.perf_counter()

        def note(name: str, candidates: int) -> None:
            nonlocal started
            now = time.perf_counter()
            trace.append(TraceStep(name, candidates, round((now - started) * 1000, 3)))
            started = now

        parts: list[Part] = []
        for source_spec, source in self._sources:
            proposed = source.propose(query, context, source_spec.limit)
            parts.append(Part(source_spec.name, source_spec.weight, proposed, source_spec.cold_weight))
            note(f"{source_spec.use}:{source_spec.name}", len(proposed))
        slate = merge(parts, history=len(query.history), half=self.spec.history_half, calibration=self.spec.calibration)
        note("merge", len(slate))
        for stage_spec, stage in self._stages:
            slate = stage(slate, query, context)
            note(stage_spec.use, len(slate))
        return Answer(slate, tuple(trace))
