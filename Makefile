# Each target is one call of run.py, which works the same without make.
PYTHON ?= python3

demo test down check bench chaos:
	@$(PYTHON) run.py $@

test-all:
	@$(PYTHON) run.py test -m ""

test-docker:
	@$(PYTHON) run.py test -m "" --cluster=docker

chaos-hour:
	@$(PYTHON) run.py chaos --minutes 60 --rate 950 --seed 1

.PHONY: demo test test-all test-docker down check bench chaos chaos-hour
