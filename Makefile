# stream_retouch: `make run` sets up once and starts the service; `make help` tells the rest.
# Works with GNU make 3.81.

# The Python to set up with; empty: the first of python3, python3.14 ... python3.11 that is new enough.
PYTHON =
# Another wheel index for torch, for example the CPU one: see README.md. Empty: as pip is configured.
TORCH_INDEX =
# Passed on to the service (make run) or to pytest (make test).
ARGS =
VENV = .venv

PY = $(VENV)/bin/python
# Newer than what it depends on once everything is installed.
STAMP = $(VENV)/.installed
# There while packages are being installed: what is found with it was interrupted.
UNFINISHED = $(VENV)/.unfinished
IN_RANGE = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
INDEX = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# More threads than one each only take the cores from the video.
export OPENBLAS_NUM_THREADS = 1
export OMP_NUM_THREADS = 1

.PHONY: run test lint bench clean help

run: $(STAMP)
	@$(PY) -m stream_retouch serve $(ARGS)

test: $(STAMP)
	$(PY) -m pytest $(ARGS)

lint: $(STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict stream_retouch engines

bench: $(STAMP)
	$(PY) -m benchmarks.fps --engine openvino
	$(PY) -m benchmarks.latency --size 1280x720 --fps 30 --seconds 10
	$(PY) -m benchmarks.loss --rows ours --seconds 30
	$(PY) -m benchmarks.load --users 1,2,3
	$(PY) -m benchmarks.load --viewers 10
	$(PY) -m benchmarks.browser_uplink
	$(PY) -m benchmarks.soak --minutes 10
	$(PY) -m benchmarks.batching
	$(PY) -m benchmarks.batching --with-conditioner
	$(PY) -m benchmarks.quality --split heldout
	$(PY) -m benchmarks.stability
	$(PY) -m benchmarks.vfid
	$(PY) -m benchmarks.faces
	$(PY) -m benchmarks.language --instructions tests/data/instructions_heldout.jsonl
	$(PY) -m benchmarks.instruction_latency

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .cache tests/output
	find stream_retouch engines training benchmarks tests -name __pycache__ -prune -exec rm -rf {} +

help:
	@echo 'make run     set up once, then start the service and print its address'
	@echo '             make run ARGS="--port 9000"'
	@echo 'make test    set up once, then run the tests;  make test ARGS="tests/media -x"'
	@echo 'make lint    ruff, ruff format --check, mypy --strict'
	@echo 'make bench   speed, delay, loss, load, quality, steadiness, faces and words on this machine (an hour and a quarter)'
	@echo 'make clean   remove the set-up and everything made from the sources'
	@echo
	@echo 'PYTHON=python3.12    the Python to set up with, 3.11 to 3.14'
	@echo 'TORCH_INDEX=URL      another wheel index for torch, see README.md'

# A virtual environment that works is kept; one that was interrupted is made again.
$(STAMP): constraints.txt pyproject.toml
	@set -e; \
	if [ -e $(UNFINISHED) ] || ! $(PY) -c '$(IN_RANGE)' 2>/dev/null || ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for one in $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	    if $$one -c '$(IN_RANGE)' 2>/dev/null; then found=$$one; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    one=$(if $(PYTHON),$(PYTHON),python3); \
	    echo "stream_retouch needs Python 3.11 to 3.14, and $$one is $$($$one --version 2>/dev/null || echo not there);" \
	      "install one of them and name it, for example: make run PYTHON=python3.12" >&2; \
	    exit 1; \
	  fi; \
	  if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "$$found has no venv module; install it (Debian and Ubuntu: sudo apt-get install python3-venv)" \
	      "or name another Python: make run PYTHON=python3.12" >&2; \
	    exit 1; \
	  fi; \
	  echo "setting up $(VENV), once; this takes some minutes"; \
	  $$found -m venv --clear $(VENV); \
	fi; \
	touch $(UNFINISHED); \
	$(PY) -m pip install --disable-pip-version-check $(INDEX) -c constraints.txt -e '.[dev]'; \
	for one in pocketsphinx 'kaldifst kaldi-decoder'; do \
	  $(PY) -m pip install --disable-pip-version-check -c constraints.txt --no-deps --only-binary :all: $$one || \
	    echo "no $$one for this Python or machine: speech hears less or stays off, everything else works" >&2; \
	done; \
	rm $(UNFINISHED); \
	touch $(STAMP)
