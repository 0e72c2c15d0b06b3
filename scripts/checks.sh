# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # those who source this set api, image and model, and use the rest
# Sourced by the scripts that look whether pecia works: requests by curl, what is expected of an answer as an
# expression in Python over `answer`, and a table of what came out.
#
#   PART                       the table's first column
#   get URL, post URL CURL...  ask; sets STATUS (000 = nobody answered), BODY (a file) and TOOK (ms)
#   stranger URL               the same without the key
#   expect WHAT STATUS EXPRESSION
#   says WHAT PATTERN          some line of the body matches
#   answers WHAT COMMAND...    it succeeds and says something, which is in ANSWER

FOLDER=$(mktemp -d)
BODY=$FOLDER/body
TIMEOUT_S=120
STATUS='' TOOK='' ANSWER=''
PINNED=()
ADDRESSES=()
OK=0 FAILED=0 SKIPPED=0

# The key goes to curl in a file: arguments can be seen by everybody on this machine.
KEY=()
if [ -n "${PECIA_API_KEY:-}" ]; then
    (umask 077 && printf 'Authorization: Bearer %s\n' "$PECIA_API_KEY" >"$FOLDER/key")
    KEY=(-H "@$FOLDER/key")
fi

tidied() {
    local status=$?
    if [ -f "$FOLDER/pids" ]; then xargs -r kill <"$FOLDER/pids" 2>/dev/null || true; fi
    rm -rf "$FOLDER"
    exit "$status"
}
trap tidied EXIT

get() { post "$@"; }

post() { request "${KEY[@]}" "$@"; }

stranger() { request "$@"; }

request() {
    local said
    said=$(curl --silent --show-error --max-time "$TIMEOUT_S" --output "$BODY" --write-out '%{http_code} %{time_total}' \
        "${PINNED[@]}" "$@" 2>"$FOLDER/curl") || true
    read -r STATUS TOOK <<<"${said:-000 0}"
    TOOK=$(awk -v s="$TOOK" 'BEGIN { printf "%d", s * 1000 }')
    [ -f "$BODY" ] || : >"$BODY"
    if [ "$STATUS" = 000 ]; then : >"$BODY"; fi
}

# What OpenAI's clients check of a chat completion.
OPENAI_SHAPE='answer["id"].startswith("chatcmpl-") and answer["object"] == "chat.completion"
    and type(answer["created"]) is int and answer["model"] and answer["choices"][0]["index"] == 0
    and answer["choices"][0]["message"]["role"] == "assistant"
    and type(answer["choices"][0]["message"]["content"]) is str
    and answer["choices"][0]["finish_reason"] in ("stop", "length")
    and answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]'
HAS_TEXT='answer["choices"][0]["message"]["content"].strip()'

# chat SIZE TASK REF_TEXT: the page's own request.
chat() {
    asked_of "$@" false
    post "$api/v1/chat/completions" -H 'Content-Type: application/json' -H 'Cache-Control: no-cache' --data "@$FOLDER/chat"
}

stream() {
    asked_of base free_ocr '' true
    post "$api/v1/chat/completions" -H 'Content-Type: application/json' -H 'Cache-Control: no-cache' --no-buffer --data "@$FOLDER/chat"
}

asked_of() {
    python3 - "$image" "$model" "$@" >"$FOLDER/chat" <<'PYTHON'
import base64, json, mimetypes, sys

image, model, size, task, ref_text, stream = sys.argv[1:]
kind = mimetypes.guess_type(image)[0] or "image/png"
url = f"data:{kind};base64,{base64.b64encode(open(image, 'rb').read()).decode()}"
body = {
    "model": model, "model_size": size, "task_type": task, "stream": stream == "true",
    "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
}
print(json.dumps(body | ({"ref_text": ref_text} if ref_text else {})))
PYTHON
}

expect() {
    local why
    if [ "$STATUS" = 000 ]; then
        failed "$1" "$(tail -1 "$FOLDER/curl")"
    elif [ "$STATUS" != "$2" ]; then
        failed "$1" "HTTP $STATUS instead of $2: $(head -c 200 "$BODY" | tr -s '[:space:]' ' ')"
    elif why=$(python3 - "$BODY" "$3" "${words:-}" 2>&1 <<'PYTHON'
import json, sys

def squeezed(text):
    return "".join(text.split()).casefold()

try:
    answer, words = json.load(open(sys.argv[1])), sys.argv[3]
    right = eval("(" + sys.argv[2] + ")")
except ValueError:
    sys.exit("the answer is no JSON")
except (KeyError, IndexError, TypeError) as error:
    sys.exit(f"it has no {error}")
sys.exit(0 if right else "it is not: " + " ".join(sys.argv[2].split())[:120])
PYTHON
    ); then
        passed "$1"
    else
        failed "$1" "$(tail -1 <<<"$why")"
    fi
}

says() {
    if [ "$STATUS" = 000 ]; then
        failed "$1" "$(tail -1 "$FOLDER/curl")"
    elif [ "$STATUS" != 200 ]; then
        failed "$1" "HTTP $STATUS instead of 200: $(head -c 200 "$BODY" | tr -s '[:space:]' ' ')"
    elif tr -d '\r' <"$BODY" | grep -q "$2"; then
        passed "$1"
    else
        failed "$1" "the answer has no line like $2"
    fi
}

answers() {
    local what=$1
    shift
    TOOK=''
    if ANSWER=$("$@" 2>"$FOLDER/command") && [ -n "$ANSWER" ] && [ "$ANSWER" != None ]; then
        passed "$what"
    else
        failed "$what" "$(grep . "$FOLDER/command" | tail -1 || echo "$1 knows of none")"
        return 1
    fi
}

# All addresses of a name, IPv4.
addresses_of() {
    mapfile -t ADDRESSES < <(getent ahostsv4 "$1" | awk '{ print $1 }' | sort -u)
}

# The port of a URL, said or meant.
port_of() {
    local place=${1#*://}
    place=${place%%/*}
    case $place in
    *:*) echo "${place##*:}" ;;
    *) if [[ $1 == https:* ]]; then echo 443; else echo 80; fi ;;
    esac
}

# lead URL ADDRESS: whoever asks for it is led to that address, by the URL's own name and certificate.
lead() {
    local place=${1#*://}
    place=${place%%/*}
    PINNED+=(--resolve "${place%:*}:$(port_of "$1"):$2")
}

heading() { printf '%-8s %-62s %-12s %6s\n' part check result ms; }

row() { printf '%-8s %-62s %-12s %6s\n' "$PART" "$1" "$2" "${3:-}"; }

passed() {
    OK=$((OK + 1))
    row "$1" ok "$TOOK"
}

failed() {
    FAILED=$((FAILED + 1))
    row "$1" FAILED "$TOOK"
    printf '%-8s   %s\n' '' "$2"
}

skipped() {
    SKIPPED=$((SKIPPED + 1))
    TOOK=''
    row "$1" 'not checked'
    printf '%-8s   %s\n' '' "$2"
}

all_well() { [ "$FAILED" -eq 0 ]; }

conclusion() {
    echo
    echo "$OK ok, $FAILED failed, $SKIPPED not checked"
    all_well || { echo "What to do: docs/troubleshoot.md" && exit 1; }
}
