#!/usr/bin/env bash
# Removes what eks/up.sh made, but for the buckets, which hold data. Can be run again after an error.
#
#   eks/down.sh --yes
#   eks/down.sh --print                      print every command and run none
#
#   --region REGION    default us-west-2
#   --name NAME        of the cluster; default pecia
#   --with-volumes     delete the volumes claimed in namespace pecia, too
#   --yes              do it: without this nothing is removed
#   --print            print, do not run (--dry-run is the same)
#
# The load balancer goes first: eksctl does not know of it, and a VPC with a load balancer in it cannot be
# removed. About 20 minutes (an estimate).

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh

region=us-west-2 name=pecia volumes='' yes=''
while [ $# -gt 0 ]; do
    case $1 in
    --region) region=$(value "$@"); shift ;;
    --name) name=$(value "$@"); shift ;;
    --with-volumes) volumes=1 ;;
    --yes) yes=1 ;;
    --print | --dry-run) PRINT=1 ;;
    -h | --help) help_of "eks/down.sh" && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
[ -n "$yes$PRINT" ] || wrong_use "this removes cluster $name in $region: say --yes"
PATIENCE_S=${PATIENCE_S:-300} # for AWS to remove the load balancers
export AWS_PAGER='' AWS_DEFAULT_REGION=$region

main() {
    step "Tools and identity" "5 s" "sign in: aws configure, or aws sso login."
    asked ACCOUNT aws sts get-caller-identity --query Arn --output text

    if [ -z "$PRINT" ] && ! there eksctl get cluster --name "$name" --region "$region"; then
        echo "   There is no cluster $name in $region."
    else
        emptied
        step "The cluster, its nodes, roles and network" "15 minutes" \
            "what CloudFormation could not delete stands in its console under eksctl-$name-cluster; remove that by hand."
        run eksctl delete cluster --name "$name" --region "$region" --wait
    fi

    finished
    echo "Left: the buckets (aws s3 ls | grep $name; aws s3 rb s3://BUCKET --force deletes one with its data),"
    echo "the images (scripts/ecr-setup.sh --remove), and the log groups /aws/eks/$name/cluster and /aws/containerinsights/$name/*."
}

# Whatever lives outside of the cluster and is removed from inside.
emptied() {
    step "pecia and its load balancer" "3 minutes" "kubectl --context $name -n pecia get ingress,pods says what is left."
    run aws eks update-kubeconfig --name "$name" --region "$region" --alias "$name"
    run helm uninstall pecia --namespace pecia --kube-context "$name" --ignore-not-found --wait --timeout 10m
    run kubectl --context "$name" delete ingress --all --namespace pecia --ignore-not-found --timeout=5m
    gone
    if [ -n "$volumes" ]; then
        run kubectl --context "$name" delete persistentvolumeclaim --all --namespace pecia --timeout=5m
    fi
}

gone() {
    local left end=$((SECONDS + PATIENCE_S))
    while true; do
        left=$(asked "" aws resourcegroupstaggingapi get-resources \
            --resource-type-filters elasticloadbalancing:loadbalancer \
            --tag-filters "Key=elbv2.k8s.aws/cluster,Values=$name" \
            --query 'ResourceTagMappingList[].ResourceARN' --output text)
        [ -n "$left" ] || return 0
        if [ $SECONDS -ge $end ]; then
            echo "   These load balancers are still there: $left" >&2
            return 1
        fi
        sleep 5
    done
}

main
