# shellcheck shell=bash
# Sourced by the scripts that change something. Steps say what they do and how long it takes; commands can be
# printed instead of run; the first error stops everything and says what to do next.
#
#   PRINT=1             print commands, run none, ask nothing
#   step TITLE TIME NEXT  begin a step; NEXT = what to do should it fail
#   run COMMAND...      run it, or print it
#   asked WORD COMMAND...  what a command that only looks answers; WORD where commands are printed
#   there COMMAND...    whether a command that only looks succeeds; no, where commands are printed

set -Eeuo pipefail

PRINT=${PRINT:-}
STEP=
NEXT=
BEGUN=$SECONDS
STARTED=$SECONDS

step() {
    step_ended
    STEP=$1 NEXT=$3 BEGUN=$SECONDS
    echo
    echo "== $1 ($2)"
}

step_ended() {
    if [ -n "$STEP" ] && [ -z "$PRINT" ]; then echo "   done after $((SECONDS - BEGUN)) s"; fi
}

finished() {
    step_ended
    STEP=
    echo
    echo "Finished after $((SECONDS - STARTED)) s."
}

# A command as a person would type it.
shown() {
    local word line='  '
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    echo "$line"
}

run() {
    shown "$@"
    if [ -z "$PRINT" ]; then "$@"; fi
}

asked() {
    local word=$1
    shift
    if [ -n "$PRINT" ]; then
        shown "$@" >&2
        echo "$word"
    else
        "$@"
    fi
}

there() {
    if [ -n "$PRINT" ]; then
        shown "$@"
        return 1
    fi
    "$@" >/dev/null 2>&1
}

# need TOOL WHERE-TO-GET-IT
need() {
    if [ -n "$PRINT" ] || command -v "$1" >/dev/null; then return 0; fi
    echo "   $1 is not installed: $2" >&2
    return 1
}

# wrong_use WHAT-IS-WRONG: the command line makes no sense.
wrong_use() {
    STEP=
    echo "$(basename "$0"): $1. $(basename "$0") --help says more." >&2
    exit 2
}

# value "$@": what stands behind a flag, where something has to
value() {
    [ $# -ge 2 ] || wrong_use "$1 needs a value"
    echo "$2"
}

# What stands at the head of a script, from its second line to the first that is no comment, is its help.
help_of() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"
}

stopped() {
    local status=$?
    [ "$status" -eq 0 ] || [ -z "$STEP" ] || {
        echo
        echo "Stopped after $((SECONDS - STARTED)) s in: $STEP"
        echo "What to do: $NEXT"
        echo "Then run the same command again: what is done already stays as it is."
    } >&2
    exit "$status"
}
trap stopped EXIT
