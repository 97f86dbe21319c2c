"""The same as `apps.api.problems`, under the name the upper apps use."""

from apps.api.problems import Problem, problem_404, problem_500, problem_response
from apps.api.values import FieldError

__all__ = ["FieldError", "Problem", "problem_404", "problem_500", "problem_response"]
