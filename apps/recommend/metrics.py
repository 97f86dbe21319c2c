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
CANDIDATE_CACHE = Counter(
    "recsys_candidate_cache_total", "Look-ups of computed candidates, by layer and result.", ["layer", "result"]
)
PIPELINE_FAILURES = Counter(
    "recsys_pipeline_failures_total", "Pipelines that raised; the fallback answered.", ["pipeline"]
)
SERVED_CATALOG_REVISION = Gauge(
    "recsys_served_catalog_revision", "Revision of the catalog this process serves.", multiprocess_mode="livemin"
)
SERVING_REFRESH_FAILURES = Counter(
    "recsys_serving_refresh_failures_total", "Refreshes of models, placements or catalog that failed."
)
