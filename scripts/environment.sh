# The set-up that demo.sh and test.sh share; sourced by them, never run. Needs bash and `repository`.
# Makes .venv in the repository once, and again only when setup.py or pyproject.toml has changed.

unset PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PYTHONDONTWRITEBYTECODE=

environment="$repository/.venv"

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 2
}

# Whether "$1" is a Python that runs here and is 3.11, 3.12 or 3.13.
is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# Prints the first usable Python, looking at $PYTHON first; ends the script with one line when there is none.
find_python() {
    local name without_venv=""
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3 python; do
        is_supported "$name" || continue
        if "$name" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
        without_venv="${without_venv:-$name}"
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv has no venv module; install it (Debian, Ubuntu: sudo apt install python3-venv) and run this again"
    fi
    fail "no Python 3.11, 3.12 or 3.13 found; install one (Debian 12: sudo apt install python3 python3-venv) or set PYTHON to its path"
}

# Lets one line through for each big download and one when unpacking begins; pip's full text goes to the log.
show_progress() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case "$line" in
            *Downloading*" MB)"*)
                [[ "$line" =~ Downloading\ ([^ ]*/)?([A-Za-z0-9_]+)-.*\(([0-9]{2,})\.?[0-9]*\ MB\) ]] &&
                    say "  fetching ${BASH_REMATCH[2]}, ${BASH_REMATCH[3]} MB"
                ;;
            *"Installing collected packages"*) say "  unpacking, a minute or two" ;;
        esac
    done >>"$1"
}

# OpenCV's usual wheel needs desktop libraries (libGL, X11, GLib); where the system has none, lay the same
# version's headless build over it.
mend_opencv() {
    local version
    "$environment/bin/python" -c 'import cv2' >/dev/null 2>&1 && return
    say "  this system has no desktop libraries: using OpenCV's headless build"
    version="$("$environment/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')"
    pip_install --force-reinstall --no-deps "opencv-python-headless==$version"
    "$environment/bin/python" -c 'import cv2' || fail "OpenCV does not start, for the reason above"
}

pip_install() {
    local log="$environment/install.log"
    if ! "$environment/bin/python" -m pip install --progress-bar off "$@" 2>&1 | show_progress "$log"; then
        tail -n 12 "$log" >&2
        fail "the installation failed: see the lines above and $log; run this again to continue"
    fi
}

# What an installed .venv must match to be used again: settings, place and Python.
fingerprint() {
    { cat "$repository/setup.py" "$repository/pyproject.toml"; printf '%s\n' "$repository"; } | cksum
}

# prepare_environment [EXTRA]: after it, "$environment/bin" holds the program and its dependencies.
prepare_environment() {
    local extra="${1:-}" python wanted stamp target
    stamp="$environment/.ready-${extra:-run}"
    wanted="$(fingerprint)"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && is_supported "$environment/bin/python"; then
        say "Using the environment in .venv."
        return
    fi
    if ! is_supported "$environment/bin/python" || [ "$(cat "$environment/.place" 2>/dev/null)" != "$repository" ]; then
        python="$(find_python)"
        say "Making a virtual environment in .venv with $("$python" --version)."
        rm -rf "$environment"
        "$python" -m venv "$environment" >&2 || fail "$python could not make a virtual environment in $environment: see above"
        printf '%s\n' "$repository" >"$environment/.place"
    fi
    rm -f "$environment"/.ready-*
    target="$repository"
    [ -z "$extra" ] || target="${target}[$extra]"
    say "Installing Deep Fusion and what it needs (the first time about 850 MB to fetch, 3 GB on disk)."
    pip_install --editable "$target"
    mend_opencv
    printf '%s\n' "$wanted" >"$stamp"
    [ -z "$extra" ] || printf '%s\n' "$wanted" >"$environment/.ready-run"
    say "Installed in $SECONDS s."
}
