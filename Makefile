# Everything starts from a bare clone: the first target that needs it builds .venv, once for each set of requirements.
# What the targets mean: `make help`.

.DEFAULT_GOAL := help
.PHONY: help demo test lint types format docs clean env env-dev
MAKEFLAGS += --no-print-directory

PORT ?= 8000
export PORT
# pytest's arguments, e.g. make test ARGS="tests/engine -k als"
ARGS ?=

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

# exec: Ctrl-C reaches the demo itself, which stops its processes and leaves with 0; nothing is left for make to report.
demo: env ## Build what is missing, then run the demo shop (PORT=8000)
	@exec .venv/bin/python manage.py demo

test: env-dev ## Run every test on DATABASE_URL and REDIS_URL (unset: SQLite); ARGS="…" for pytest
	@.venv/bin/python -m pytest $(ARGS)

lint: env-dev ## Style and import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports --no-logo

types: env-dev ## Type check
	@.venv/bin/mypy

format: env-dev ## Put the code into its standard shape
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

docs: env-dev ## Write .env.example and docs/reference from the code
	@.venv/bin/python -m recsys.reference

clean: ## Remove .venv and caches; var/ (the demo's data) stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find apps recsys tests -name __pycache__ -type d -prune -exec rm -rf {} +

env: ## Build .venv with what running needs
	@deploy/environment.sh requirements.txt

env-dev: ## Build .venv with what developing needs, too
	@deploy/environment.sh requirements-dev.txt
