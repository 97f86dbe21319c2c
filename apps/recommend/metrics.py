"""What this app tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

RECOMMENDATIONS = Counter(
    "recsys_recommendations_total",
    "Responses, by placement and by the fallback that helped out (none: the placement's own pipeline sufficed).",
    ["placement", "fallback"],
)
RECOMMENDATION_SECONDS = Histogram(
    "recsys_recommendation_seconds",
    "Time to make one response, HTTP excluded.",
    ["placement"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0),
)
CACHE_LOOKUPS = Counter(
    "recsys_cache_lookups_total",
    "Look-ups of computed slates, by layer (candidates: what one source proposes to everybody; personal: what a "
    "pipeline makes for one user; arranged: a personal slate after rules) and result (process, old: served while it "
    "is renewed, shared: found in Redis, waited: for another request, miss).",
    ["layer", "result"],
)
PIPELINE_FAILURES = Counter(
    "recsys_pipeline_failures_total",
    "Sources and stages that raised, by pipeline and step; the others, or the fallbacks, answered.",
    ["pipeline", "step"],
)
LATE_SOURCES = Counter(
    "recsys_late_sources_total", "Sources not asked because a request's time was over.", ["pipeline", "source"]
)
UNKNOWN_FOR_OUTAGE = Counter(
    "recsys_unknown_for_outage_total", "Users answered as new visitors because no store could say who they are."
)
SERVED_CATALOG_REVISION = Gauge(
    "recsys_served_catalog_revision", "Revision of the catalog this process serves.", multiprocess_mode="livemin"
)
SERVING_REFRESH_FAILURES = Counter(
    "recsys_serving_refresh_failures_total", "Refreshes of models, placements or catalog that failed."
)
