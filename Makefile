# The table of contents of development. Every recipe calls one script in scripts/, where the work is done.
# `make` alone prints this list.
.DEFAULT_GOAL := help
.PHONY: help quickstart demo down test chaos check arrows deny advisories shellcheck generate cluster cluster-check images web bench clean-cache

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

quickstart: ## a report on this machine, without root or cluster: SQLite to a file in out/
	@scripts/quickstart.sh

demo: ## a cluster, real servers, OpenReg and a report from end to end; can be repeated
	@scripts/demo.sh

down: ## removes what demo and tests made, the cluster included
	@scripts/down.sh

test: ## every test there is, on a cluster of its own; ends with counted totals
	@scripts/test.sh

chaos: ## long proofs under faults, on a cluster of their own
	@scripts/test.sh packages tools cluster-programs cluster images services install chaos

check: ## before a commit: format, lints, unit tests, arrows, generated files
	@scripts/test.sh check

arrows: ## what a crate must never see is not in its tree
	@scripts/arrows.sh

deny: ## licences, sources and banned crates; needs no network
	@scripts/tools.sh cargo-deny && cargo deny check bans licenses sources

advisories: ## known vulnerabilities; fetches the database
	@scripts/tools.sh cargo-deny && cargo deny check advisories

shellcheck: ## every shell script
	@scripts/shellcheck.sh

generate: ## writes what is generated: CRDs, their chart, OpenAPI, TypeScript types
	@scripts/generate.sh

cluster: ## a cluster on this machine (or the one of OPENREG_USE_KUBECONFIG=1), built if need be
	@scripts/packages.sh && scripts/cluster.sh

cluster-check: ## proves what that cluster can do, a line per check
	@tests/cluster/check.sh $${OPENREG_CLUSTER:-.work/cluster}

images: ## the images, loaded into the cluster if one runs
	@scripts/images.sh

web: ## the web page: packages, types, build
	@scripts/web.sh build

bench: ## measures OpenReg beside its baseline: all, or NAME=csv
	@scripts/bench.sh $(if $(NAME),--name $(NAME))

clean-cache: ## removes built programs, tools and images of every checkout
	@scripts/clean-cache.sh
