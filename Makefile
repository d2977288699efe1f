# Each target is one call of run.py, which works the same without make.
PYTHON ?= python3

demo test down check bench:
	@$(PYTHON) run.py $@

test-docker:
	@$(PYTHON) run.py test --cluster=docker

.PHONY: demo test test-docker down check bench
