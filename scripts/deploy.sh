#!/usr/bin/env bash
# Brings pecia onto a cluster, or a new version of it.
#
#   scripts/deploy.sh build       images (scripts/build.sh)
#   scripts/deploy.sh push        into ECR, whose repositories are made if they are missing (scripts/ecr-setup.sh)
#   scripts/deploy.sh template    print what would be applied; touches no cluster
#   scripts/deploy.sh upgrade     apply it, wait until all of it is ready; if it is not, go back
#   scripts/deploy.sh all         build, push, upgrade
#
#   --values FILE        of the chart, several times: helm/pecia/values.yaml says what there is
#   --region REGION      of ECR; default us-west-2
#   --registry HOST      in place of ECR's, for images that are already somewhere
#   --tag TAG            in place of the project's version
#   --only NAMES         build and push these images only, with commas
#   --context NAME       of kubectl; default: the current one
#   --namespace NAME     default pecia
#   --release NAME       default pecia
#   --timeout TIME       how long upgrade waits; default 20m: GPU nodes have to come, and models to load
#   --print              print every command and run none (--dry-run is the same)
#
# An upgrade replaces pods one after the other while requests go on (docs/operate.md). Its way back is
# `helm rollback`.

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh
. scripts/images.sh

command='' region=us-west-2 registry='' tag='' only='' context='' space=pecia release=pecia timeout=20m
values=()
while [ $# -gt 0 ]; do
    case $1 in
    build | push | template | upgrade | all) [ -z "$command" ] || wrong_use "one command at a time"; command=$1 ;;
    --values) file=$(value "$@"); values+=(--values "$file"); shift ;;
    --region) region=$(value "$@"); shift ;;
    --registry) registry=$(value "$@"); shift ;;
    --tag) tag=$(value "$@"); shift ;;
    --only) only=$(value "$@"); shift ;;
    --context) context=$(value "$@"); shift ;;
    --namespace) space=$(value "$@"); shift ;;
    --release) release=$(value "$@"); shift ;;
    --timeout) timeout=$(value "$@"); shift ;;
    --print | --dry-run) PRINT=1 ;;
    -h | --help) help_of scripts/deploy.sh && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
[ -n "$command" ] || wrong_use "say what to do: build, push, template, upgrade or all"
tag=${tag:-$(version_of_images)}
export PRINT AWS_PAGER='' AWS_DEFAULT_REGION=$region

main() {
    case $command in
    build) build ;;
    push) push ;;
    template) template ;;
    upgrade) upgrade ;;
    all)
        build
        push
        upgrade
        ;;
    esac
    finished
}

build() {
    step "Images" "10 minutes the first time" "scripts/build.sh says above what is wrong."
    scripts/build.sh --tag "$tag" --only "$only"
}

push() {
    step "Images into ECR" "5 minutes" "scripts/ecr-setup.sh says above what is wrong."
    scripts/ecr-setup.sh --push --region "$region" --tag "$tag" --only "$only"
}

# Without a registry of their own, images come from the account's ECR.
places() {
    [ -n "$registry" ] || registry=$(asked ACCOUNT aws sts get-caller-identity --query Account --output text).dkr.ecr.$region.amazonaws.com
    given=("${values[@]}" --set "image.registry=$registry" --set "image.tag=$tag")
}

template() {
    step "What the chart makes" "2 s" "helm says above which value is wrong; helm/pecia/values.yaml explains each."
    need helm "https://helm.sh/docs/intro/install"
    places
    run helm template "$release" helm/pecia --namespace "$space" "${given[@]}"
}

upgrade() {
    local cluster=() back=--atomic
    [ -z "$context" ] || cluster=(--kube-context "$context")
    step "The cluster" "5 s" "eks/up.sh makes one; kubectl config get-contexts lists those that are known, --context chooses."
    need helm "https://helm.sh/docs/intro/install"
    need kubectl "https://kubernetes.io/docs/tasks/tools"
    run kubectl ${context:+--context "$context"} get namespace "$space"
    places
    # Helm 4's word for it.
    if there helm upgrade --rollback-on-failure --help; then back=--rollback-on-failure; fi

    step "Definitions (CRDs)" "5 s" "you need to be an administrator of the cluster for this one."
    run helm upgrade --install "$release-crds" helm/pecia-crds --namespace "$space" "${cluster[@]}" --wait

    step "$release $tag" "2 to 20 minutes" "kubectl -n $space get pods, describe those that are not Ready; docs/troubleshoot.md. The version before was brought back."
    run helm upgrade --install "$release" helm/pecia --namespace "$space" "${cluster[@]}" "${given[@]}" \
        "$back" --wait --timeout "$timeout"
    run kubectl ${context:+--context "$context"} --namespace "$space" get ingress \
        --output 'custom-columns=NAME:.metadata.name,ADDRESS:.status.loadBalancer.ingress[*].hostname'
    echo "   Next: scripts/verify.sh --alb --namespace $space --region $region"
}

main
