# Everything a newcomer needs: `make demo` and `make test`. Both set up what they need under $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-pi test test-system check format requirements schemas transcript pictures clean

demo: $(READY)
	$(BIN)/edgewright demo

# The same with a TFLite model for a Raspberry Pi.
demo-pi: $(READY)
	$(BIN)/edgewright demo --device raspberry-pi-5

test: $(READY)
	$(BIN)/python -m pytest -m "not system"

# Needs Debian's packages and npm: installs them, and fails where a part is missing.
test-system: $(READY)
	tests/system/install $(BIN)
	$(BIN)/python -m pytest -m system

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -m "not system" -x -q tests/test_layout.py tests/test_docs.py tests/state \
		tests/knowledge tests/server/test_arguments.py

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Writes requirements.txt anew: pinned, hashed, naming no package host.
requirements:
	$(BIN)/python -m pip install uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
		--no-header --no-emit-index-url --upgrade --quiet --output-file requirements.txt

# The published schemas, for review: a change of them is a change of contract.
schemas: $(READY)
	$(BIN)/python tests/support/write_schemas.py

# The README's transcript comes from a run of the demo, never from a keyboard.
transcript: $(READY)
	$(BIN)/edgewright demo --record $(VENV)/transcript.md
	$(BIN)/python tests/support/readme_blocks.py README.md transcript $(VENV)/transcript.md

# The README's pictures come from a run on this machine, seen in Chromium; needs what `test-system` needs.
pictures: $(READY)
	tests/system/install $(BIN)
	$(BIN)/python tests/support/readme_pictures.py docs/pictures

clean:
	rm -rf $(VENV)

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)
