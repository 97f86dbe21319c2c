"""What the pipelines propose to one question: remembered or computed, in time, whatever breaks.

Candidates are remembered as of the whole catalog: what is out of stock today stays among them and is left out when
the answer is put together, so that a change of stock needs no new computation.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import structlog
from django.conf import settings

from apps.recommend import result_cache
from apps.recommend.engine.context import Context
from apps.recommend.engine.deadline import NEVER
from apps.recommend.engine.pipeline import Answer, Pipeline, SourceStep
from apps.recommend.engine.types import NOBODY, Evidence, Mask, Query, Slate
from apps.recommend.metrics import LATE_SOURCES, PIPELINE_FAILURES
from apps.recommend.question import Question

log = structlog.get_logger(__name__)

POOL = 1_000  # candidates that rules and diversity look at, at most
SETTLED_AFTER = 1_800  # seconds without an event after which a user's slate is likely to be asked for as it is
AHEAD_SECONDS = 6 * 3_600  # for which the slates of settled users are kept for the other processes


@dataclass(eq=False)
class Candidates:
    """The pipelines as one question asks them. Notes what failed or came too late."""

    question: Question
    failed: list[str]
    late: list[str]
    answers: dict[str, Answer]  # by pipeline: only what was computed for a trace

    @classmethod
    def of(cls, question: Question) -> "Candidates":
        return cls(question, [], [], {})

    def slate(self, pipeline: Pipeline, *, in_time: bool = True) -> Slate:
        """The pipeline's candidates among all items that are not deleted (and in the category asked for), best first.

        Remembered where they depend on nothing that has changed. Empty, counted and logged, where the pipeline fails.
        `in_time` False: also beyond the deadline, for what must answer when nothing else did.
        """
        question = self.question
        if question.ask.trace or not pipeline.spec.models:
            # A trace shows the way, so it has to be gone; without models it is no longer than a look-up.
            return self._run(pipeline, in_time=in_time)
        key = self.key(pipeline)
        cache = result_cache.personal if self._personal(pipeline) else result_cache.candidates
        partial: list[Slate] = []

        def make() -> Slate | None:
            failed, late = len(self.failed), len(self.late)
            slate = self._run(pipeline, in_time=in_time)
            if len(self.failed) > failed or len(self.late) > late:
                partial.append(slate)
                return None  # good for this answer, not for the next
            return slate

        slate = cache.get_or_make(
            key, question.state.catalog, make, question.deadline, shared_for=self._shared_for(pipeline)
        )
        if slate is None and not partial:
            self._note_late(pipeline.spec.name, "waiting")
        if slate is None:
            return partial[0] if partial else Slate.empty()
        return slate

    def among(self, pipeline: Pipeline, allowed: Mask, *, in_time: bool = True) -> Slate:
        """The pipeline's candidates among `allowed` items only: where too few of the others may be shown."""
        return self._run(pipeline, in_time=in_time, allowed=allowed)

    def key(self, pipeline: Pipeline) -> Hashable:
        """Everything that decides what `slate` gives."""
        user = self.asker((pipeline,))
        standing = self.question.state.standing(pipeline.spec.digest, pipeline.spec.models)
        return (standing, user, *self._asked())

    def asker(self, pipelines: Sequence[Pipeline]) -> tuple[int, int] | None:
        """Whom, and as of which revision, what these pipelines give is for; None: for everybody."""
        if not any(map(self._personal, pipelines)):
            return None
        profile = self.question.profile
        return None if profile is None else (profile.id, profile.revision)

    def _personal(self, pipeline: Pipeline) -> bool:
        return pipeline.spec.personal and self.question.personalised

    def _shared_for(self, pipeline: Pipeline) -> int:
        """What one user sees while browsing changes with each view: asking Redis for it would cost more than it saves.

        What they see when they come back may have been computed ahead (`precompute`).
        """
        profile = self.question.profile if self._personal(pipeline) else None
        if profile is None:
            return int(settings.RESULT_CACHE_SECONDS)
        settled = not len(profile.taste) or self.question.now - int(profile.taste.times[0]) > SETTLED_AFTER
        return AHEAD_SECONDS if settled and settings.RESULT_CACHE_SECONDS else 0

    def _asked(self) -> tuple[Hashable, ...]:
        question = self.question
        ids = question.state.catalog.ids[question.seeds.rows].tolist() if len(question.seeds) else ()
        return (tuple(ids), question.category, question.ask.text)

    def _run(self, pipeline: Pipeline, *, in_time: bool, allowed: Mask | None = None) -> Slate:
        question, state = self.question, self.question.state
        name = pipeline.spec.name
        lasting = state.catalog.living if allowed is None else allowed
        present = question.eligible if allowed is None else allowed
        if question.in_category is not None and allowed is None:
            lasting, present = lasting & question.in_category, present & question.in_category

        # What depends on nobody is remembered as a whole already.
        remember = allowed is None and self._personal(pipeline) and not question.ask.trace

        def propose(step: SourceStep, query: Query, context: Context) -> Slate:
            try:
                return self._propose(name, step, query, context, present, remember=remember)
            except Exception:
                # A broken plug-in or model must not empty a shelf: the other sources answer, or the next pipeline.
                log.exception("source failed", pipeline=name, source=step.spec.name, placement=question.plan.placement)
                self._note_failure(name, step.spec.name)
                return Slate.empty()

        context = Context(items=state.catalog.items, eligible=lasting, models=state.models)
        deadline = question.deadline if in_time else NEVER
        try:
            answer = pipeline.run(question.query(pipeline), context, deadline=deadline, propose=propose)
        except Exception:
            log.exception("stage failed", pipeline=name, placement=question.plan.placement)
            self._note_failure(name, "stages")
            return Slate.empty()
        for source in answer.late:
            self._note_late(name, source)
        if question.ask.trace:
            self.answers[name] = answer
        return answer.slate.take(slice(0, POOL))

    def _propose(
        self, pipeline: str, step: SourceStep, query: Query, context: Context, present: Mask, *, remember: bool
    ) -> Slate:
        asks = getattr(step.source, "asks", "history")
        models = tuple(name for key in ("model", "meaning") if (name := step.spec.config.get(key)))
        if not models:
            return step.propose(query, replace(context, eligible=present))
        if asks == "history" or not remember:
            return step.propose(query, context)
        everybody = replace(query, history=Evidence.none(), user=NOBODY)
        key = ("source", self.question.state.standing(step.digest, models), *self._asked())
        slate = result_cache.candidates.get_or_make(
            key,
            self.question.state.catalog,
            lambda: step.propose(everybody, context),
            self.question.deadline,
            shared_for=settings.RESULT_CACHE_SECONDS,
        )
        if slate is None:  # somebody else computes it, and is not done in time
            self._note_late(pipeline, step.spec.name)
            return Slate.empty()
        return slate

    def _note_late(self, pipeline: str, source: str) -> None:
        LATE_SOURCES.labels(pipeline=pipeline, source=source).inc()
        self.late.append(f"{pipeline}:{source}")

    def _note_failure(self, pipeline: str, step: str) -> None:
        PIPELINE_FAILURES.labels(pipeline=pipeline, step=step).inc()
        self.failed.append(f"{pipeline}:{step}")
