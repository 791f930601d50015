# The two things to run from a checkout. Another Python wants a folder of its own:
#     make test PYTHON=python3.12 VENV=.venv312

PYTHON ?= python3
VENV ?= .venv

install = $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo test python

# A small study and its report; a run that is complete is left as it is.
demo: $(VENV)/.ready
	$(VENV)/bin/tuner run studies/digits.py --dir runs/digits
	$(VENV)/bin/tuner report runs/digits

# Every check.
test: $(VENV)/.ready-test
	scripts/check $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | python
	$(PYTHON) -m venv $(VENV)
	$(install) '.[studies]'
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(install) '.[grain,studies,test]'
	touch $@

python:
	@$(PYTHON) scripts/require_python.py $(VENV)
