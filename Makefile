SHELL := /bin/bash
.DEFAULT_GOAL := help
export LAKE ?= data/lake
export LANDING ?= data/landing
export DATASET DS FROM TO REPROCESS
PYTHON := .venv/bin/python
# Small data, many short queries: interpreting them costs less than compiling them; one task is enough, and small pages.
SMALL := .venv/bin/spark-submit --conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN \
	--conf spark.sql.shuffle.partitions=1 --conf spark.default.parallelism=1 --conf spark.buffer.pageSize=128k
# Many days in one session: Java's optimising compiler pays for itself where it keeps to what is hot.
MANY_DAYS := --conf "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=4 \
	-XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=5000 -XX:Tier4CompileThreshold=40000"
# Of the 16 that it lands: the last two are for the first backfill through Airflow.
DEMO_DAYS := 2026-01-01..2026-01-14
# Docker, or what does its work, such as COMPOSE=podman-compose.
COMPOSE ?= docker compose
BUILD ?= $(COMPOSE) build
export AIRFLOW_PORT ?= 8080
export LANDING_FOLDER = $(abspath $(LANDING))

.PHONY: help setup setup-airflow demo test test-all lint bench status quarantine contracts report docs airflow backfill cluster cluster-down up down logs lock clean
# Parts of others.
.PHONY: environment days

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## make .venv, the environment of jobs and tests
	@$(call with_python,conf/environments.py spark archive)

environment:
	@$(call with_python,conf/environments.py spark)

setup-airflow: ## make .venv-airflow, Airflow's own environment
	@$(call with_python,conf/environments.py airflow)

# Any Python that is there may run the set-up: it says itself whether it is the right one.
define with_python
python=$$(command -v python3.11 || command -v python3) || \
	{ echo "No Python found, Python 3.11 needed: install it (Debian: apt-get install python3.11 python3.11-venv)." >&2; exit 1; }; \
	"$$python" $(1)
endef

demo: environment ## 14 days of sample data through the whole chain
	@$(MAKE) -s setup & setup=$$!; $(MAKE) -s days; code=$$?; wait $$setup && exit $$code
	@echo; $(PYTHON) -m common.status --short
	@echo; $(PYTHON) -m jobs.datasets.churn.baseline
	@echo "The lake is $$(cd $(LAKE) && pwd). Worth trying next:"
	@echo "  make status"
	@echo "  .venv/bin/spark-submit jobs/features.py --dataset transactions --ds 2026-01-05"
	@echo "  .venv/bin/features show transactions --ds 2026-01-05"

days:
	@for dataset in transactions:2000 churn:500; do \
		name=$${dataset%:*}; [ -d $(LANDING)/$$name ] || { \
		$(PYTHON) -m jobs.datasets.$$name.sample --days 16 --rows $${dataset#*:} --out $(LANDING)/.writing && \
		mv $(LANDING)/.writing/$$name $(LANDING)/; } || exit 1; done
	@echo "Running $(DEMO_DAYS) of both datasets, side by side:" >&2
	@$(SMALL) $(MANY_DAYS) jobs/backfill.py --dataset transactions churn --ds $(DEMO_DAYS) >/dev/null
	@$(SMALL) jobs/training_set.py --dataset churn --name churn_baseline --ds $(DEMO_DAYS) >/dev/null

# The DAGs' tests run where Airflow is, all others where Spark is.
DAG_TESTS := .venv-airflow/bin/python -m pytest tests/dags --confcutdir=tests/dags -o timeout= -W ignore

test: setup setup-airflow ## the quick test suite
	@$(DAG_TESTS)
	@$(PYTHON) -m pytest -n 2 --dist worksteal -m "not slow"

test-all: setup setup-airflow ## every test, the long ones too
	@$(DAG_TESTS)
	@$(PYTHON) -m pytest -n 2 --dist worksteal

lint: setup ## ruff and mypy
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: setup ## a day of a million rows, beside the straightforward way
	@$(PYTHON) tests/benchmarks/day.py

status: setup ## what ran, per dataset and day
	@$(PYTHON) -m common.status

quarantine: setup ## what was refused, by reason: DATASET=... and perhaps DS=...
	@: "$${DATASET:?which dataset? make quarantine DATASET=transactions}"; \
		$(PYTHON) -m common.quarantined --dataset "$$DATASET" $${DS:+--ds "$$DS"}

contracts: setup ## a page for every contract, and each as ODCS
	@$(PYTHON) -m common.contract_page --out data/contracts

report: setup ## one HTML page of 30 days, to the newest or to DS=...: volumes, refusals, rules, drift, profiles
	@$(PYTHON) -m common.report $${DS:+--ds "$$DS"}

docs: setup ## Great Expectations' pages of every suite and result
	@$(PYTHON) -m common.docs

airflow: setup setup-airflow ## Airflow on this machine, in the foreground: schedules, backfills, its UI on localhost
	@conf/airflow/start

# Several days at once: one that has not landed must not hold up the others, and the pools let one task at a time to a table.
backfill: setup-airflow ## days through the Airflow that runs here: DATASET=... FROM=... TO=...
	@: "$${DATASET:?which dataset? make backfill DATASET=transactions FROM=2026-01-01 TO=2026-01-03}" "$${FROM:?FROM which day?}" "$${TO:?TO which day?}"; \
		conf/airflow/airflow backfill create --dag-id "$$DATASET" --from-date "$$FROM" --to-date "$$TO" \
		--reprocess-behavior "$${REPROCESS:-completed}" --max-active-runs 4

cluster: setup ## a Spark master and its workers on this machine, for --env cluster
	@$(PYTHON) conf/spark/cluster.py up

cluster-down: ## end that cluster
	@[ ! -d data/cluster ] || [ ! -x $(PYTHON) ] || $(PYTHON) conf/spark/cluster.py down

up: ## start Airflow, Spark and PostgreSQL in containers
	@$(call with_python,conf/docker/first_start.py "$(COMPOSE)")
	@mkdir -p "$(LANDING_FOLDER)"
	@export REVISION=$$(git rev-parse HEAD 2>/dev/null); $(BUILD) && $(COMPOSE) up -d
	@$(call with_python,conf/docker/healthy.py --wait 300 http://127.0.0.1:$(AIRFLOW_PORT)/api/v2/monitor/health \
		scheduler.status=healthy dag_processor.status=healthy triggerer.status=healthy)
	@echo "Airflow: http://127.0.0.1:$(AIRFLOW_PORT), user admin, password AIRFLOW_ADMIN_PASSWORD of .env"

down: ## stop the containers; lake and history stay
	@$(COMPOSE) down

logs: ## what the containers say
	@$(COMPOSE) logs --follow --tail 100

lock: setup ## resolve the dependencies anew
	@for name in uv spark airflow; do .venv/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header conf/requirements/$$name.in -o conf/requirements/$$name.txt; done

clean: cluster-down ## remove what was made: data, environments, caches
	@rm -rf data .venv .venv-airflow .mypy_cache .ruff_cache .hypothesis spark-warehouse
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
