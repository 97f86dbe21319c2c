"""The admin of recommendations, one module for each thing that is administered. Importing them registers them."""

from apps.recommend.admin import model_versions, placements, rules, schedule, training_runs

__all__ = ["model_versions", "placements", "rules", "schedule", "training_runs"]
