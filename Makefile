SHELL := /bin/bash
.DEFAULT_GOAL := help
LAKE ?= data/lake
LANDING ?= data/landing
AIRFLOW_PORT ?= 8080
# Docker, or a replacement, such as COMPOSE=podman-compose.
COMPOSE ?= docker compose
BUILD ?= $(COMPOSE) build
# `days` lands 16 days; the last two are for the first backfill through Airflow.
DEMO_DAYS := 2026-01-01..2026-01-14
# Values reach the recipes through the environment, quoted there as "$$NAME". `value` takes them as they were typed, so that make
# expands nothing in a folder's name either.
TYPED := LAKE LANDING DATASET ENTITY DS FROM TO REPROCESS NAME CONFIRM AIRFLOW_PORT COMPOSE DEMO_DAYS
$(foreach name,$(TYPED),$(if $(filter undefined,$(origin $(name))),,$(eval override export $(name) := $$(value $(name)))))
PYTHON := .venv/bin/python
# Small data, many short queries: one task and small pages.
SMALL := .venv/bin/spark-submit --conf spark.sql.shuffle.partitions=1 --conf spark.default.parallelism=1 --conf spark.buffer.pageSize=128k
# Many days in one session: Java's optimising compiler pays off if it compiles only what runs often.
MANY_DAYS := --conf "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=4 \
	-XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=5000 -XX:Tier4CompileThreshold=40000"
# The DAGs' tests run in Airflow's environment, all others in Spark's.
DAG_TESTS := .venv-airflow/bin/python -m pytest tests/dags --confcutdir=tests/dags -o timeout= -W ignore
TESTS := $(PYTHON) -m pytest -n 2 --dist worksteal

# Any Python may start the set-up, which checks the version itself.
define with_python
python=$$(command -v python3.11 || command -v python3) || \
	{ echo "No Python found, Python 3.11 needed: install it (Debian: apt-get install python3.11 python3.11-venv)." >&2; exit 1; }; \
	"$$python" $(1)
endef

.PHONY: help demo mentions setup setup-s3 setup-kafka test test-all lint bench lock clean wipe status quarantine erase dataset check console docs setup-airflow airflow backfill cluster cluster-down warm warm-down up down logs
# Parts of the targets above.
.PHONY: environment tools archive days

##@ Try it

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "%s%s:\n", blank, substr($$0, 5); blank = "\n"} \
		/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: environment ## 14 days of sample data through the whole chain
	@$(MAKE) -s archive & archive=$$!; $(MAKE) -s days; code=$$?; wait $$archive && exit $$code
	@echo; $(PYTHON) -m common.reports.status --short
	@echo; $(PYTHON) -m jobs.datasets.churn.baseline
	@case "$$LAKE" in *://*) place=$$LAKE ;; *) place=$$(realpath -m -- "$$LAKE") ;; esac; echo "The lake is $$place. Worth trying next:"
	@echo "  make status"
	@echo "  .venv/bin/spark-submit jobs/features.py --dataset transactions --ds 2026-01-05"
	@echo "  .venv/bin/features show transactions --ds 2026-01-05"

mentions: environment archive ## mentions of products, hour by hour: scored by a service that is killed and brought back, with a page
	@$(call with_python,conf/environments.py lexicon)
	@$(SMALL) $(MANY_DAYS) jobs/datasets/mentions/demo.py

environment:
	@$(call with_python,conf/environments.py spark)

tools:
	@$(call with_python,conf/environments.py dev)

archive:
	@$(call with_python,conf/environments.py spark archive)

days:
	@for dataset in transactions:2000 churn:500; do \
		name=$${dataset%:*}; [ -d "$$LANDING/$$name" ] || { \
		$(PYTHON) -m jobs.datasets.$$name.sample --days 16 --rows $${dataset#*:} --out="$$LANDING/.writing" && \
		mv -- "$$LANDING/.writing/$$name" "$$LANDING/"; } || exit 1; done
	@echo "Running $$DEMO_DAYS of both datasets, side by side:" >&2
	@$(SMALL) $(MANY_DAYS) jobs/backfill.py --dataset transactions churn --ds "$$DEMO_DAYS" >/dev/null
	@$(SMALL) jobs/training_set.py --dataset churn --name churn_baseline --ds "$$DEMO_DAYS" >/dev/null

##@ Develop

setup: ## make .venv, the environment of jobs, tests and lint
	@$(call with_python,conf/environments.py dev archive)

setup-s3: setup ## let Spark reach a lake or landing files on an object store
	@$(call with_python,conf/environments.py s3 archive)
setup-kafka: setup ## fetch a Kafka broker, for the tests that need one
	@$(call with_python,conf/environments.py kafka)

test: tools ## the quick test suite
	@$(MAKE) -s archive & archive=$$!; $(MAKE) -s setup-airflow && $(DAG_TESTS); code=$$?; wait $$archive && exit $$code
	@$(TESTS) -m "not slow"

test-all: setup-s3 setup-airflow ## every test, the long ones too, and the coverage
	@$(DAG_TESTS)
	@$(TESTS) --cov --cov-report=term

lint: tools ## ruff and mypy
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: setup ## a day of a million rows, beside a straightforward pipeline
	@$(PYTHON) tests/benchmarks/day.py

# A lock of tools takes the versions of the lock that it is installed on top of, which therefore comes first.
lock: setup ## resolve the dependencies anew
	@for name in uv spark dev lexicon airflow airflow-dev; do .venv/bin/uv pip compile -q --upgrade --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header conf/requirements/$$name.in -o conf/requirements/$$name.txt || exit 1; done

clean: cluster-down warm-down ## remove environments and caches; data stays
	@rm -rf .venv .venv-airflow .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
	@find . -path ./data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

WIPED := data/ and spark-warehouse/: the lake, landing files, the online store, and the history of Airflow here
wipe: ## remove all data made here, for good; asks first (or CONFIRM=yes)
	@if [ "$$CONFIRM" != yes ]; then \
		[ -t 0 ] || { echo "make wipe removes $(WIPED). There is no terminal to ask on: to remove it all, run CONFIRM=yes make wipe" >&2; exit 2; }; \
		read -r -p "Remove $(WIPED)? There is no way back. Type yes: " CONFIRM; \
		[ "$$CONFIRM" = yes ] || { echo "Nothing was removed." >&2; exit 2; }; fi
	@for name in data spark-warehouse; do [ ! -L $$name ] || { \
		echo "$$name is a link to $$(realpath -m $$name): nothing was removed; remove what is there yourself, then the link" >&2; exit 2; }; done
	@$(MAKE) -s cluster-down warm-down
	@rm -rf data spark-warehouse
	@for place in "$$LAKE" "$$LANDING"; do case "$$place" in data/*) ;; *) echo "What lies elsewhere stays: $$place" >&2 ;; esac; done

##@ Operate

status: environment ## what ran, per dataset and day
	@$(PYTHON) -m common.reports.status

quarantine: environment ## quarantined rows, by reason: DATASET=... and optionally DS=..., UNMASKED=1
	@: "$${DATASET:?which dataset? make quarantine DATASET=transactions}"; \
		$(PYTHON) -m common.reports.quarantine --dataset "$$DATASET" $${DS:+--ds "$$DS"} $${UNMASKED:+--unmasked}

erase: environment ## where one entity is; with APPLY=1, out of everything, for good: DATASET=... ENTITY=...
	@: "$${DATASET:?which dataset? make erase DATASET=churn ENTITY=c000007}" "$${ENTITY:?ENTITY: whose rows?}"; \
		$(SMALL) jobs/erase.py --dataset "$$DATASET" --entity "$$ENTITY" $${APPLY:+--apply}

dataset: environment ## a new dataset, its contract guessed from a file: NAME=... FROM=sample.csv
	@: "$${NAME:?which name? make dataset NAME=orders FROM=orders.csv}" "$${FROM:?FROM which file?}"; \
		$(PYTHON) -m jobs.new_dataset "$$NAME" --from "$$FROM"

check: environment ## everything that is wrong with the datasets' contracts, or with one: DATASET=...
	@$(PYTHON) -m common.reports.check_dataset $${DATASET:+"$$DATASET"}

console: environment ## one page of every day, feature table, contract and training set, written beside the lake: no server
	@$(PYTHON) -m common.console.page

docs: environment ## Great Expectations' pages of every suite and result
	@$(PYTHON) -m common.reports.gx_docs

##@ Airflow

setup-airflow: ## make .venv-airflow, Airflow's own environment
	@$(call with_python,conf/environments.py airflow-dev)

airflow: archive setup-airflow ## Airflow on this machine, in the foreground: schedules, backfills, its UI on localhost
	@conf/airflow/start

# Several days at once: a day that has not landed must not hold up the others, and the pools let one task at a time to a table.
backfill: setup-airflow ## run days through the Airflow on this machine: DATASET=... FROM=... TO=...
	@: "$${DATASET:?which dataset? make backfill DATASET=transactions FROM=2026-01-01 TO=2026-01-03}" "$${FROM:?FROM which day?}" "$${TO:?TO which day?}"; \
		conf/airflow/airflow backfill create --dag-id "$$DATASET" --from-date "$$FROM" --to-date "$$TO" \
		--reprocess-behavior "$${REPROCESS:-completed}" --max-active-runs 4

##@ Cluster and containers

cluster: archive ## a Spark master and its workers on this machine, for --env cluster
	@$(PYTHON) conf/spark/cluster.py up

cluster-down: ## stop that cluster
	@[ ! -d data/cluster ] || [ ! -x $(PYTHON) ] || $(PYTHON) conf/spark/cluster.py down

warm: archive ## a Spark that stays up: with SPARK_REMOTE as it says, jobs start no Java
	@$(PYTHON) conf/spark/warm.py up

warm-down: ## end that Spark
	@[ ! -d data/warm ] || [ ! -x $(PYTHON) ] || $(PYTHON) conf/spark/warm.py down

up: ## start Airflow, Spark and PostgreSQL in containers
	@$(call with_python,conf/docker/first_start.py "$$COMPOSE")
	@mkdir -p -- "$$LANDING"
	@export REVISION=$$(git rev-parse HEAD 2>/dev/null) LANDING_FOLDER="$$(realpath -- "$$LANDING")"; $(BUILD) && $(COMPOSE) up -d
	@$(call with_python,conf/docker/healthy.py --wait 300 "http://127.0.0.1:$$AIRFLOW_PORT/api/v2/monitor/health" \
		scheduler.status=healthy dag_processor.status=healthy triggerer.status=healthy)
	@echo "Airflow: http://127.0.0.1:$$AIRFLOW_PORT, user admin, password AIRFLOW_ADMIN_PASSWORD of .env"

down: ## stop the containers; the lake and Airflow's history stay
	@$(COMPOSE) down

logs: ## follow the containers' logs
	@$(COMPOSE) logs --follow --tail 100
