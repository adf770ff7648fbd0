#!/usr/bin/env bash
# Installs Deep Fusion into .venv and runs `deepfusion demo`; arguments are passed on to it.
set -euo pipefail

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
source "$repository/scripts/environment.sh"

prepare_environment
say "Running the demo: a clip with sound, two photos and a progress movie."
exec "$environment/bin/deepfusion" demo "$@"
