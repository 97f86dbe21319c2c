"""A pipeline: candidate sources, then stages, read from TOML. Running one is a loop with a trace."""

import hashlib
import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from apps.recommend.engine.context import Context
from apps.recommend.engine.deadline import NEVER, Deadline
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
    label_with_item: str = ""  # instead of `label` where the list is around the item viewed last; {title} is its title
    stands_alone: bool = False  # what it finds is not filled up by fallbacks: they answer only where it finds nothing
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

    @field_validator("label_with_item")
    @classmethod
    def _names_the_item(cls, label: str) -> str:
        if label and "{title}" not in label:
            raise ValueError("has no {title}, which stands for the title of the item")
        return label

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if all(source.weight == 0 and not source.cold_weight for source in self.sources):
            raise ValueError("no source has a weight above 0")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models its parts ask, in order, without repeats."""
        asked = [
            step.config.get(key) for step in (*self.sources, *self.stages) for key in ("model", "meaning", "evidence")
        ]
        return tuple(dict.fromkeys(name for name in asked if name))

    @cached_property
    def digest(self) -> str:
        """Eight bytes, in hexadecimal, that change with anything in the file."""
        return _digest(self.model_dump(mode="json"))


def _digest(content: Any) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class TraceStep:
    """What one step made of the candidates: a source's own list, or the slate after merging or a stage."""

    name: str
    slate: Slate
    took_ms: float

    @property
    def candidates(self) -> int:
        return len(self.slate)


@dataclass(frozen=True, eq=False)
class Answer:
    """A pipeline's slate and how it came about. `late` names the sources that were not asked for want of time."""

    slate: Slate
    trace: tuple[TraceStep, ...] = ()
    late: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SourceStep:
    """A source of a pipeline, ready to be asked. `digest` changes with the source and its parameters."""

    spec: SourceSpec
    source: CandidateSource
    digest: str

    def propose(self, query: Query, context: Context) -> Slate:
        """What the source says."""
        return self.source.propose(query, context, self.spec.limit)


Propose = Callable[[SourceStep, Query, Context], Slate]


class Pipeline:
    """A spec with its plug-ins built. Raises PluginError or pydantic.ValidationError where one does not fit."""

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec
        self._sources = [
            SourceStep(source, SOURCES.create(source.use, source.config), _digest(source.model_dump(mode="json")))
            for source in spec.sources
        ]
        self._stages: list[tuple[StageSpec, Stage]] = [
            (stage, STAGES.create(stage.use, stage.config)) for stage in spec.stages
        ]

    def run(
        self,
        query: Query,
        context: Context,
        *,
        deadline: Deadline = NEVER,
        propose: Propose = SourceStep.propose,
    ) -> Answer:
        """The pipeline's candidates for `query`, best first: as many as its sources' limits let through.

        Every source is asked through `propose`, so that whoever serves can remember answers and survive failures.
        Once `deadline` has passed no further source is asked, and the answer says which.
        """
        trace: list[TraceStep] = []
        started = time.perf_counter()

        def note(name: str, slate: Slate) -> None:
            nonlocal started
            now = time.perf_counter()
            trace.append(TraceStep(name, slate, round((now - started) * 1000, 3)))
            started = now

        parts: list[Part] = []
        late: list[str] = []
        for step in self._sources:
            if deadline.passed:
                late.append(step.spec.name)
                continue
            proposed = propose(step, query, context)
            parts.append(Part(step.spec.name, step.spec.weight, proposed, step.spec.cold_weight))
            note(f"{step.spec.use}:{step.spec.name}", proposed)
        slate = merge(parts, history=len(query.history), half=self.spec.history_half, calibration=self.spec.calibration)
        note("merge", slate)
        for stage_spec, stage in self._stages:
            slate = stage(slate, query, context)
            note(stage_spec.use, slate)
        return Answer(slate, tuple(trace), tuple(late))
