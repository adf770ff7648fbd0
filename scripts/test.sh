#!/usr/bin/env bash
# Installs Deep Fusion with its development tools into .venv, then runs ruff, mypy and the tests.
# Arguments are passed on to pytest (-m "not slow" for the quick ones). Exit 1 when any of the three failed; all three always run.
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

# What the browser tests use beside Python, fetched where CI=true: elsewhere they are skipped if it is missing.
prepare_browser() {
    local axe="$environment/axe/package/axe.min.js" log="$environment/install.log"
    if [ "${CI:-}" = true ]; then
        if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "Installing Chromium for the tests of pages."
            { timeout 300 apt-get update -q && timeout 600 apt-get install -y -q --no-install-recommends chromium; } \
                >>"$log" 2>&1 || say "  it could not be installed: these tests are skipped"
        fi
        if [ ! -f "$axe" ] && command -v npm >/dev/null; then
            mkdir -p "$environment/axe"
            (cd "$environment/axe" && timeout 120 npm pack --silent axe-core@4 && tar xzf axe-core-*.tgz) >>"$log" 2>&1 ||
                say "  axe-core could not be fetched: accessibility is not checked"
        fi
    fi
    [ ! -f "$axe" ] || export AXE_JS="$axe"
}

prepare_environment dev
prepare_browser
cd "$repository"
python="$environment/bin/python"
check "Style (ruff check)" "$python" -m ruff check .
check "Layout (ruff format)" "$python" -m ruff format --check .
check "Types (mypy)" "$python" -m mypy
# A process a core, each with one thread of TensorFlow; a file's tests share a process and what it prepares.
check "Tests (pytest)" "$python" -m pytest -q -n auto --maxprocesses 4 --dist loadfile "$@"

if [ ${#failed[@]} -gt 0 ]; then
    say "Failed after $SECONDS s: ${failed[*]}."
    exit 1
fi
say "Everything passed in $SECONDS s."
