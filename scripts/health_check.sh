#!/usr/bin/env bash
# A report on a running pecia in a few seconds: does the API answer, does the page, is a model loaded, what is
# waiting. Reads nothing, changes nothing: fit for a cron job. Ends with 0 when all is well, 1 when not.
#
#   scripts/health_check.sh                                  this machine: ports 8000 and 8501
#   scripts/health_check.sh --url http://NAME:8000 --page http://NAME:8501
#
#   --url URL            of the API; default http://127.0.0.1:8000
#   --page URL           of the page; default http://127.0.0.1:8501; "none" = there is none
#   --timeout SECONDS    for one request; default 10
#
# A key is taken from PECIA_API_KEY. It needs bash, curl and python3. scripts/verify.sh reads pictures, too.

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh
. scripts/checks.sh

api=http://127.0.0.1:8000 page=http://127.0.0.1:8501
TIMEOUT_S=10
while [ $# -gt 0 ]; do
    case $1 in
    --url) api=$(value "$@"); shift ;;
    --page) page=$(value "$@"); shift ;;
    --timeout) TIMEOUT_S=$(value "$@"); shift ;;
    -h | --help) help_of scripts/health_check.sh && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done

main() {
    heading
    PART=API
    get "$api/health"
    expect "the API answers" 200 '"status" in answer'
    expect "a model is loaded" 200 'answer["model_loaded"] is True'
    cp "$BODY" "$FOLDER/health"
    get "$api/ready"
    expect "an engine can answer now" 200 'answer["ready"] is True'
    get "$api/v1/capacity"
    cp "$BODY" "$FOLDER/capacity"
    PART=page
    if [ "$page" = none ]; then
        skipped "the page answers" "there is none"
    else
        get "$page/_stcore/health"
        says "the page answers" '^ok$'
    fi
    report
    conclusion
}

# What is known beyond yes and no; nothing where nobody answered.
report() {
    echo
    python3 - "$FOLDER/health" "$FOLDER/capacity" <<'PYTHON'
import json, sys

def read(path):
    try:
        return json.load(open(path))
    except ValueError:
        return {}

health, capacity = map(read, sys.argv[1:])
for name in ("status", "memory_mb", "uptime_seconds", "active_jobs", "queued_jobs"):
    if name in health:
        print(f"{name:<16} {health[name]}")
for engine in capacity.get("engines", ()):
    print(f"engine           {engine['name']}: {engine['state']} {engine.get('reason') or ''}".rstrip())
PYTHON
}

main
