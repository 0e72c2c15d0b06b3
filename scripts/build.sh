#!/usr/bin/env bash
# Builds the images for linux/amd64, tags each with the project's version and with latest, and weighs them
# (scripts/images.py, which has more to choose). A second build of the same sources takes seconds.
#
#   scripts/build.sh                      all: about 10 minutes, most of it ocr-cuda (an estimate)
#   scripts/build.sh --only gateway,ocr
#
#   --only NAMES       of gateway, ui, worker, operator, ocr, ocr-cuda, with commas
#   --tag TAG          in place of the project's version
#   --print            print every command and run none (--dry-run is the same)
#
# docker builds where its daemon runs, else podman; CONTAINERS=podman chooses. What is in each image:
# docs/images.md.

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh
. scripts/images.sh

only='' tag=''
while [ $# -gt 0 ]; do
    case $1 in
    --only) only=$(value "$@"); shift ;;
    --tag) tag=$(value "$@"); shift ;;
    --print | --dry-run) PRINT=1 ;;
    -h | --help) help_of scripts/build.sh && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
names=$(chosen "$only")
tag=${tag:-$(version_of_images)}

step "Tools" "1 s" "install docker (https://docs.docker.com/engine/install) or podman."
tool=$(containers)
for name in $names; do
    case $name in
    ocr-cuda) minutes="10 minutes" ;;
    *) minutes="2 minutes" ;;
    esac
    step "Image pecia/$name:$tag" "$minutes" "read the first error above; a download that broke off is tried again by the next run."
    # Which says itself what it does.
    python3 scripts/images.py --engine "$tool" --only "$name" --tag "$tag" --latest --platform linux/amd64 ${PRINT:+--print}
done
finished
