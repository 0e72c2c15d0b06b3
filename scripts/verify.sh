#!/usr/bin/env bash
# Verifies pecia from outside, as a person would by hand after a deployment, and prints a table of what it
# checked. Ends with 0 when nothing failed, with 1 when something did.
#
#   scripts/verify.sh --url http://127.0.0.1:8000 --page http://127.0.0.1:8501
#   scripts/verify.sh --port-forward                 through kubectl: needs no load balancer
#   scripts/verify.sh --alb --region us-west-2       through the load balancer, and looks at that itself
#
# What it checks:
#   API    alive, ready, healthy with a model loaded; the list of models; a picture read, in the shape
#          OpenAI's clients need and with the words that are on it; streaming; lines; every size and task;
#          what is no picture is refused in OpenAI's words; with a key set, nobody comes in without one
#   page   it is Streamlit's and healthy; with --browser, Chromium uploads a picture and has it read with
#          every size and every task
#   ALB    one name that resolves, listeners on both ports, every target of both groups healthy, each address
#          of the name leads each port to its own service; nodes can be reached by Session Manager
#
#   --url URL            of the API
#   --page URL           of the page; without it the page is not checked
#   --port-forward       find both by kubectl
#   --alb                find both by the Ingresses' load balancer; with --url and --page (HTTPS) those are used
#   --browser            drive a real browser too: needs playwright (make install) and Chromium
#   --model NAME         default auto
#   --image FILE         default examples/sample-receipt.png
#   --expect TEXT        what must be read from it; default 77.145
#   --timeout SECONDS    for one request; default 120
#   --namespace NAME, --release NAME    of the chart; both default to pecia
#   --context NAME       of kubectl; default: the current one
#   --cluster NAME, --region REGION     for --alb; default pecia and us-west-2
#
# A key is taken from PECIA_API_KEY and never shown. It needs bash, curl and python3; kubectl for the clusters
# and aws for --alb, with the rights of eks/iam/verify.json. Takes about a minute (on CPUs).

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh
. scripts/checks.sh

api='' page='' way=urls browser='' model=auto image=examples/sample-receipt.png words=77.145
space=pecia release=pecia context='' cluster=pecia region=us-west-2
while [ $# -gt 0 ]; do
    case $1 in
    --url) api=$(value "$@"); shift ;;
    --page) page=$(value "$@"); shift ;;
    --port-forward) way=forward ;;
    --alb) way=alb ;;
    --browser) browser=1 ;;
    --model) model=$(value "$@"); shift ;;
    --image) image=$(value "$@"); shift ;;
    --expect) words=$(value "$@"); shift ;;
    --timeout) TIMEOUT_S=$(value "$@"); shift ;;
    --namespace) space=$(value "$@"); shift ;;
    --release) release=$(value "$@"); shift ;;
    --context) context=$(value "$@"); shift ;;
    --cluster) cluster=$(value "$@"); shift ;;
    --region) region=$(value "$@"); shift ;;
    -h | --help) help_of scripts/verify.sh && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
[ "$way" != urls ] || [ -n "$api" ] || wrong_use "say where it is: --url URL, --port-forward or --alb"
[ -n "$words" ] || wrong_use "--expect takes words that are on the picture"
[ -r "$image" ] || wrong_use "$image cannot be read"
export AWS_PAGER='' AWS_DEFAULT_REGION=$region
API_PORT=${API_PORT:-8000} PAGE_PORT=${PAGE_PORT:-8501} # of the load balancer
NAME='' # the load balancer's

kube() { kubectl ${context:+--context "$context"} --namespace "$space" "$@"; }

main() {
    heading
    case $way in
    forward) forwarded ;;
    alb) name_of_alb ;;
    esac
    if [ -n "$api" ]; then check_api; fi
    check_page
    if [ "$way" = alb ]; then check_alb; fi
    conclusion
}

check_api() {
    PART=API
    get "$api/live"
    expect "GET /live: the gateway is there" 200 'answer["status"] == "alive"'
    get "$api/ready"
    expect "GET /ready: an engine can answer" 200 'answer["ready"] is True'
    get "$api/health"
    expect "GET /health: healthy, a model loaded" 200 'answer["status"] == "healthy" and answer["model_loaded"] is True'
    get "$api/models"
    expect "GET /models: a list of models" 200 'answer["object"] == "list" and len(answer["data"]) > 0'
    if ! all_well; then return 0; fi # reading would only say the same, slowly

    chat base free_ocr ''
    expect "a picture is read, in OpenAI's shape" 200 "$OPENAI_SHAPE"
    expect "the text is what is on the picture" 200 'squeezed(words) in squeezed(answer["choices"][0]["message"]["content"])'
    stream
    says "it is streamed to its end" '^data: \[DONE\]'
    post "$api/v1/ocr" -F "file=@$image" -F "model=$model"
    expect "POST /v1/ocr: lines with boxes" 200 'answer["line_count"] == len(answer["lines"]) > 0 and len(answer["lines"][0]["bbox"]) == 4'
    for size in tiny small base large gundam; do
        chat "$size" free_ocr ''
        expect "size $size" 200 "$HAS_TEXT"
    done
    chat base markdown ''
    expect "task markdown" 200 "$HAS_TEXT"
    chat base locate "$words"
    expect "task locate" 200 "$HAS_TEXT"
    chat base parse_figure ''
    # CPU engines know no figures and have to say so.
    if [ "$STATUS" = 400 ]; then
        expect "task parse_figure: refused, no engine here reads figures" 400 'answer["error"]["code"] == "unsupported_value"'
    else
        expect "task parse_figure" 200 "'choices' in answer"
    fi
    post "$api/v1/chat/completions" -H 'Content-Type: application/json' --data \
        '{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}}]}]}'
    expect "what is no picture is refused" 400 'answer["error"]["message"] and answer["error"]["type"] == "invalid_request_error"'
    if [ -n "${PECIA_API_KEY:-}" ]; then
        stranger "$api/v1/models"
        expect "without a key nobody comes in" 401 '"error" in answer'
    fi
}

check_page() {
    PART=page
    if [ -z "$page" ]; then
        skipped "the page" "say where it is: --page URL"
        return
    fi
    get "$page/_stcore/health"
    says "GET /_stcore/health: ok" '^ok$'
    get "$page/"
    says "GET /: a page of Streamlit" '<div id="root">'
    if [ -z "$browser" ]; then
        skipped "upload, every size and task, the result on screen" "--browser does it; or follow docs/DEPLOYMENT.md by hand"
    elif all_well; then
        by_browser
    fi
}

by_browser() {
    local python=.venv/bin/python line
    [ -x "$python" ] || python=python3
    "$python" scripts/verify_page.py "$page" "$model" "$image" "$words" "$TIMEOUT_S" >"$FOLDER/browser" 2>"$FOLDER/browser.log" ||
        printf 'FAIL\tthe browser came to an end\t%s\n' "$(tail -1 "$FOLDER/browser.log")" >>"$FOLDER/browser"
    while IFS=$'\t' read -r result what why; do
        TOOK=''
        case $result in
        ok) passed "$what" ;;
        *) failed "$what" "$why" ;;
        esac
    done <"$FOLDER/browser"
}

# Both Services, on ports that are free here, for as long as this runs.
forwarded() {
    PART=kubectl
    api=$(forward "$release-gateway" 8000) || api=''
    page=$(forward "$release-ui" 8501) || page=''
    if [ -z "$api" ]; then failed "port-forward to $release-gateway" "$(tail -1 "$FOLDER/$release-gateway")"; fi
    if [ -z "$page" ]; then failed "port-forward to $release-ui" "$(tail -1 "$FOLDER/$release-ui")"; fi
}

forward() {
    local said=$FOLDER/$1 port _
    kube port-forward --address 127.0.0.1 "service/$1" ":$2" >"$said" 2>&1 &
    echo $! >>"$FOLDER/pids"
    for _ in {1..100}; do
        port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$said" | head -1)
        if [ -n "$port" ]; then echo "http://127.0.0.1:$port" && return; fi
        kill -0 $! 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# The name stands in the status of the Ingresses; all of them have to have the same one.
name_of_alb() {
    PART=ALB
    local names
    names=$(kube get ingress --selector "app.kubernetes.io/instance=$release" --output \
        'jsonpath={range .items[*]}{.status.loadBalancer.ingress[0].hostname}{"\n"}{end}' 2>"$FOLDER/kubectl" | sort -u)
    if [ "$(grep -c . <<<"$names")" = 1 ] && [ -n "$names" ]; then
        NAME=$names
        passed "the Ingresses share one name"
        printf '%-8s   %s\n' '' "$NAME"
    else
        failed "the Ingresses share one name" "they have: ${names//$'\n'/ }$(tail -1 "$FOLDER/kubectl"). The controller's log says why: kubectl -n kube-system logs deployment/aws-load-balancer-controller"
        return
    fi
    addresses_of "$NAME"
    if [ ${#ADDRESSES[@]} -eq 0 ]; then
        failed "the name resolves" "a new one takes some minutes; try again"
        return
    fi
    passed "the name resolves, to ${#ADDRESSES[@]} addresses"
    api=${api:-http://$NAME:$API_PORT}
    page=${page:-http://$NAME:$PAGE_PORT}
    lead "http://$NAME:$API_PORT" "${ADDRESSES[0]}"
    lead "http://$NAME:$PAGE_PORT" "${ADDRESSES[0]}"
}

check_alb() {
    PART=ALB
    if [ -z "$NAME" ]; then return 0; fi
    if answers "somebody is signed in to AWS" aws sts get-caller-identity --query Account --output text; then
        check_listeners
        check_targets
        check_sessions
    fi
    local address
    for address in "${ADDRESSES[@]}"; do
        PINNED=()
        lead "$api" "$address"
        lead "$page" "$address"
        get "$api/live"
        expect "$address:$(port_of "$api") leads to the API" 200 'answer["status"] == "alive"'
        get "$page/_stcore/health"
        says "$address:$(port_of "$page") leads to the page" '^ok$'
    done
}

check_listeners() {
    local ports
    answers "AWS knows a load balancer of this name" aws elbv2 describe-load-balancers --output text \
        --query "LoadBalancers[?DNSName=='$NAME'].LoadBalancerArn" || return 0
    ALB=$ANSWER
    answers "it has listeners" aws elbv2 describe-listeners --load-balancer-arn "$ALB" \
        --query 'Listeners[].Port' --output text || return 0
    ports=" $(tr -s '[:space:]' ' ' <<<"$ANSWER") "
    if [[ $ports == *" $API_PORT "* && $ports == *" $PAGE_PORT "* ]]; then
        passed "it listens on $API_PORT and $PAGE_PORT"
    else
        failed "it listens on $API_PORT and $PAGE_PORT" "only on$ports"
    fi
}

check_targets() {
    local groups group name states
    [ -n "${ALB:-}" ] || return 0
    answers "it has target groups" aws elbv2 describe-target-groups --load-balancer-arn "$ALB" \
        --query 'TargetGroups[].TargetGroupArn' --output text || return 0
    read -ra groups <<<"$(tr -s '[:space:]' ' ' <<<"$ANSWER")"
    if [ ${#groups[@]} -lt 2 ]; then failed "a group for the API and one for the page" "there is ${#groups[@]}"; fi
    for group in "${groups[@]}"; do
        name=$(cut -d/ -f2 <<<"$group")
        states=$(aws elbv2 describe-target-health --target-group-arn "$group" \
            --query 'TargetHealthDescriptions[].[Target.Id,TargetHealth.State,TargetHealth.Description]' --output text)
        if [ -z "$states" ]; then
            failed "targets of $name" "there are none: kubectl -n $space get pods"
        elif awk '$2 != "healthy"' <<<"$states" | grep -q .; then
            failed "targets of $name" "$(awk '$2 != "healthy"' <<<"$states" | head -1 | tr '\t' ' ')"
        else
            passed "targets of $name: $(grep -c . <<<"$states") healthy"
        fi
    done
}

check_sessions() {
    answers "nodes can be reached by Session Manager" aws ssm describe-instance-information \
        --filters "Key=tag:eks:cluster-name,Values=$cluster" \
        --query "InstanceInformationList[?PingStatus=='Online'].InstanceId" --output text || true
}

main
