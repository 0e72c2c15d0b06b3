# shellcheck shell=bash
# Sourced by the scripts about images: which there are, and of which version they are. scripts/images.py
# builds them, from the same list.

mapfile -t IMAGES < <(sed -n 's/^\[\(.*\)\]$/\1/p' services/images.toml)

# The project's version, which the chart's appVersion repeats.
version_of_images() {
    sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml
}

# chosen NAMES: those names, separated by commas, or all.
chosen() {
    local name
    [ -n "$1" ] || { printf '%s\n' "${IMAGES[@]}" && return; }
    for name in ${1//,/ }; do
        printf '%s\n' "${IMAGES[@]}" | grep -qx "$name" || wrong_use "there is no image $name, only: ${IMAGES[*]}"
        echo "$name"
    done
}

# docker where it runs, else podman; CONTAINERS=podman chooses.
containers() {
    if [ -n "${CONTAINERS:-}" ]; then
        echo "$CONTAINERS"
    elif [ -n "$PRINT" ] || docker info >/dev/null 2>&1; then
        echo docker
    elif command -v podman >/dev/null; then
        echo podman
    else
        echo "   Neither docker (with its daemon running) nor podman is here." >&2
        return 1
    fi
}
