#!/usr/bin/env bash
# Installs Deep Fusion with its development tools into .venv, then runs ruff, mypy and the tests.
# Arguments are passed on to pytest. Exit 1 when any of the three failed; all three always run.
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
source "$repository/scripts/environment.sh"

failed=()

# check NAME COMMAND...: runs it, says how it went and how long it took, remembers a failure.
check() {
    local name="$1" started=$SECONDS
    shift
    say "$name ..."
    if "$@"; then
        say "$name: good, $((SECONDS - started)) s."
    else
        say "$name: FAILED, $((SECONDS - started)) s."
        failed+=("$name")
    fi
}

prepare_environment dev
cd "$repository"
python="$environment/bin/python"
check "Style (ruff check)" "$python" -m ruff check .
check "Layout (ruff format)" "$python" -m ruff format --check .
check "Types (mypy)" "$python" -m mypy
check "Tests (pytest)" "$python" -m pytest -q "$@"

if [ ${#failed[@]} -gt 0 ]; then
    say "Failed after $SECONDS s: ${failed[*]}."
    exit 1
fi
say "Everything passed in $SECONDS s."
