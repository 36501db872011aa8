# `make` alone lists the targets: those with `##` after them, under the headings of `##@`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

SCRIPTS := scripts/services scripts/demo scripts/deny scripts/fuzz scripts/profile scripts/shellcheck .ci/run
CARGO := cargo
EVENTS ?= 100000 # of `make chaos` and `make fleet`
RABBITMQ ?= 3.10# of both, or 4.3
# Of `make fleet`; the events come spread over so many seconds.
SECONDS ?= 600
WORKERS ?= 10
PARTITIONS ?= 40
LETTERS ?= 100000 # of `make dead-letters`
# The quick ones first, so that a slip shows early.
CHECKS := check-format check-scripts check-dependencies check-lints check-docs test
# Parts of the names of tests that take a minute or a gigabyte each: storms, kills, memory, a real XMPP server, a browser,
# and modules named `long`.
LONG := long:: chaos:: kills:: in_flight_bytes:: memory::memory_ xmpp_server:: looks_spend:: many:: a_long_list_ night::
# Those of them that need the machine for themselves.
BUSY := partitions::long::deaths partitions::long::freeze partitions::long::holds partitions::long::nodes partitions::long::silence partitions::fleet::long
# Promises are tried on RabbitMQ 3.10 and then on 4.3, except those for which one is enough, by parts of their names: no broker
# is asked, or it only brings the events for what is tried, which is the affair of SNS, HTTP or a script.
ONCE := program:: try_it:: ports::publish:: memory_queue::
ONCE += credentials:: faults::entries:: faults::whole:: plugins:: topics:: page::access:: page::streams::
# Of the long ones, those that are tried on both: the others are about SNS, memory, an XMPP server, the page or a schedule.
LONG_ON_BOTH := long:: chaos::a_storm kills:: in_flight_bytes:: looks_spend::
# A run is of one release, for brokers of a test's own, too. Of tests that are for one release by their name it leaves out the others.
ON_4_3 := [[ $${EVENT_PUSHER_DEV_NEXT:-} == no ]] || EVENT_PUSHER_TEST_AMQP=$$EVENT_PUSHER_TEST_AMQP_NEXT
# Twice as many at once as there are processors, since most of them wait for something.
export RUST_TEST_THREADS ?= $(shell echo $$(($$(nproc) * 2)))
.NOTPARALLEL:

##@ See it work
.PHONY: demo run
demo: ## RabbitMQ, an SNS emulator and the worker, with sample events through them
	@scripts/demo

run: ## The worker, with config/local.toml
	@$(CARGO) run --locked -- run

##@ Change it
.PHONY: test unit fmt check check-long check-partitions
test: ## Every test but the long ones, with the emulator and RabbitMQ 3.10, and the promises on 4.3 once more
	@scripts/services install
	@scripts/services run -- bash -euc '\
		$(CARGO) test --locked --workspace -- $(LONG:%=--skip %) --skip on_4_3; \
		$(ON_4_3) $(CARGO) test --locked --test promises -- $(LONG:%=--skip %) $(ONCE:%=--skip %) --skip on_3_10'

check-long: ## The long tests but `check-partitions`: storms, kills, memory, a browser; those about the broker on RabbitMQ 3.10 and 4.3
	@scripts/services install
	@scripts/services browser
	@scripts/services run -- bash -euc '\
		$(CARGO) test --locked --examples --test promises --test browser -- $(LONG) $(BUSY:%=--skip %) --skip on_4_3; \
		$(ON_4_3) $(CARGO) test --locked --test promises -- $(LONG_ON_BOTH) $(BUSY:%=--skip %) --skip on_3_10'

check-partitions: export RUST_TEST_THREADS := 2
check-partitions: ## Kills, freezes, holds and lost nodes with partitions, and a minute of `fleet`, up to ten workers each, on both; CI leaves them out; 15 minutes
	@scripts/services install
	@scripts/services run -- $(CARGO) test --locked --test promises -- $(BUSY)

unit: ## Only the tests that need no service
	@$(CARGO) test --locked --workspace --lib --bins

fmt: ## Format the code
	@$(CARGO) fmt --all

check: ## All but the long tests, the quick things first; CI runs `make check check-long`
	@times=; for part in $(CHECKS); do \
		printf '\n== make %s\n' "$$part"; began=$$SECONDS; \
		$(MAKE) "$$part"; \
		times+=$$(printf '\n  %-20s %4d s' "$$part" $$((SECONDS - began))); \
	done; printf '\nAll passed:%s\n' "$$times"

.PHONY: chaos
chaos: export EVENT_PUSHER_DEV_OLDEST := $(if $(filter 3.10,$(RABBITMQ)),,no)
chaos: ## 100,000 events under kills, crashes, cuts and faults of SNS, in 6 minutes; again: SEED=...; RABBITMQ=4.3
	@EVENT_PUSHER_CHAOS_EVENTS=$(EVENTS) EVENT_PUSHER_CHAOS_SEED=$(SEED) scripts/services run -- \
		$(CARGO) test --locked --test promises -- chaos::a_storm --nocapture

.PHONY: fleet
fleet: export RUST_BACKTRACE := 0
fleet: export EVENT_PUSHER_DEV_NEXT := $(if $(filter 3.10,$(RABBITMQ)),no)
fleet: export EVENT_PUSHER_DEV_OLDEST := $(if $(filter 3.10,$(RABBITMQ)),,no)
fleet: ## 100,000 events, ten workers that come, die, stop and freeze, faults of SNS; each key's account, in 11 minutes; again: SEED=...; RABBITMQ=4.3
	@EVENT_PUSHER_FLEET_SEED=$(SEED) EVENT_PUSHER_FLEET_EVENTS=$(EVENTS) EVENT_PUSHER_FLEET_SECONDS=$(SECONDS) \
		EVENT_PUSHER_FLEET_WORKERS=$(WORKERS) EVENT_PUSHER_FLEET_PARTITIONS=$(PARTITIONS) scripts/services run -- \
		$(CARGO) test --locked --test promises -- partitions::fleet::long::arrivals --nocapture \
		--skip on_$(if $(filter 3.10,$(RABBITMQ)),4_3,3_10) || exit 1

##@ Measure it
.PHONY: bench
bench: export EVENT_PUSHER_DEV_NEXT := no
bench: ## What an event costs, beside bare loops; a quick look: ARGS="--events 20000 --rounds 1"
	@scripts/services run -- $(CARGO) bench --locked --bench relay -- $(ARGS)
	@$(CARGO) bench --locked --bench handling

.PHONY: dead-letters
dead-letters: export EVENT_PUSHER_DEV_NEXT := no
dead-letters: ## Looking at 100,000 dead letters, replaying ten, then all; LETTERS=...
	@$(CARGO) build --locked --release --bin event-pusher-sns
	@EVENT_PUSHER_DEAD_LETTERS=$(LETTERS) \
		EVENT_PUSHER_PROGRAM="$${CARGO_TARGET_DIR:-$$PWD/target}/release/event-pusher-sns" \
		scripts/services run -- $(CARGO) test --locked --test promises -- operator::many --nocapture

.PHONY: profile
profile: ## Instructions an event by part, under callgrind (needs valgrind); EVENTS=20000
	@EVENTS=$(if $(filter command line environment,$(origin EVENTS)),$(EVENTS),20000) scripts/profile

##@ Look for trouble
.PHONY: fuzz
fuzz: ## Hostile inputs for decoders and classifier (needs Rust's nightly); FUZZ_SECONDS=60 each
	@scripts/fuzz

##@ The parts of `make check`
.PHONY: check-format check-scripts check-dependencies check-lints check-docs
check-format: ## Is the code formatted?
	@$(CARGO) fmt --all --check

check-scripts: ## shellcheck on every script
	@scripts/shellcheck $(SCRIPTS)

check-dependencies: ## Licences, bans and sources of the dependencies (deny.toml)
	@scripts/deny --locked check --hide-inclusion-graph bans licenses sources

check-lints: ## clippy on everything; a warning fails, and so does a leftover todo! or dbg!
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

check-docs: ## The API's documentation, without warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --workspace

.PHONY: advisories
advisories: ## Known vulnerabilities (not in `check`: needs the internet)
	@scripts/deny --locked check advisories

##@ Services by hand
.PHONY: services-up services-down services-status
services-up: ## Start both RabbitMQs and the emulator; `eval "$$(scripts/services env)"` tells where
	@scripts/services up

services-down: ## Stop them
	@scripts/services down

services-status: ## What runs
	@scripts/services status

##@ The rest
.PHONY: clean help
clean: services-down ## Remove all that was built or installed here
	@$(CARGO) clean
	@rm -rf .services .tools

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { gsub(/\$$\$$/, "$$", $$2); printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
