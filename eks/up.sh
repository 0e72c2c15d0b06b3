#!/usr/bin/env bash
# Makes everything on AWS that pecia needs: a VPC, an EKS cluster with GPU nodes that start at zero, two
# buckets, and what runs beside pecia (load balancer controller, cluster autoscaler, NVIDIA's device plugin,
# KEDA, external-secrets). Costs money from its fifth step on: docs/cost.md.
#
#   eks/up.sh                                   the defaults: cluster "pecia" in us-west-2
#   eks/up.sh --print                           print every command and run none
#   eks/up.sh --region eu-central-1 --name ocr
#   eks/up.sh --gpu-type g5.xlarge              an A10G instead of an L4; in a second run: beside it
#
# A second run adds what is missing and upgrades the charts; nothing is made twice. About 35 minutes the
# first time (an estimate), most of it waiting for AWS. Each step says its own.
#
#   --region REGION          where; default us-west-2
#   --name NAME              of the cluster; default pecia
#   --gpu-type TYPE          instance type of GPU nodes: g6.* (L4), g5.* (A10G), g6e.* (L40S); default g6.xlarge
#   --gpu-max N              GPU nodes at most; default 4
#   --system-type TYPE       instance type of the other nodes; default m7i.xlarge
#   --zones A,B              two zones or more; default: three that offer the GPU's type
#   --weights-bucket NAME    bucket of the model's weights; default NAME-weights-ACCOUNT
#   --jobs-bucket NAME       bucket of documents and results; default NAME-jobs-ACCOUNT
#   --admin-cidr CIDR        who reaches the cluster's API, beside needing rights; default 0.0.0.0/0
#   --print                  print, do not run (--dry-run is the same)
#
# Needs aws, eksctl 0.230 or newer, kubectl and helm, and the rights of eks/iam/deployer.json.

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh

region=us-west-2 name=pecia gpu_type=g6.xlarge gpu_max=4 system_type=m7i.xlarge
zones='' weights='' jobs='' admin_cidr=0.0.0.0/0
while [ $# -gt 0 ]; do
    case $1 in
    --region) region=$(value "$@"); shift ;;
    --name) name=$(value "$@"); shift ;;
    --gpu-type) gpu_type=$(value "$@"); shift ;;
    --gpu-max) gpu_max=$(value "$@"); shift ;;
    --system-type) system_type=$(value "$@"); shift ;;
    --zones) zones=$(value "$@"); shift ;;
    --weights-bucket) weights=$(value "$@"); shift ;;
    --jobs-bucket) jobs=$(value "$@"); shift ;;
    --admin-cidr) admin_cidr=$(value "$@"); shift ;;
    --print | --dry-run) PRINT=1 ;;
    -h | --help) help_of "eks/up.sh" && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
[[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || wrong_use "--name takes small letters, digits and -, 31 at most"
[[ $region =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || wrong_use "--region $region is no region"
[[ $gpu_max =~ ^[0-9]+$ ]] || wrong_use "--gpu-max takes a number"
[[ $admin_cidr =~ ^[0-9.]+/[0-9]+$ ]] || wrong_use "--admin-cidr takes an address range such as 203.0.113.0/24"
[[ $system_type =~ ^[a-z0-9-]+\.[a-z0-9-]+$ ]] || wrong_use "--system-type $system_type is no instance type"
case $gpu_type in
g6.*) gpu=l4 ;;
g5.*) gpu=a10g ;;
g6e.*) gpu=l40s ;;
*) wrong_use "--gpu-type takes g6.*, g5.* or g6e.*" ;;
esac
file=build/eks/$name.yaml
G_QUOTA=L-DB2E81BA # "Running On-Demand G and VT instances", in vCPUs
export AWS_PAGER='' AWS_DEFAULT_REGION=$region

main() {
    step "Tools and identity" "5 s" "install what is missing, and sign in: aws configure, or aws sso login."
    need aws "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    need eksctl "https://eksctl.io/installation"
    need kubectl "https://kubernetes.io/docs/tasks/tools"
    need helm "https://helm.sh/docs/intro/install"
    account=$(asked ACCOUNT aws sts get-caller-identity --query Account --output text)
    weights=${weights:-$name-weights-$account}
    jobs=${jobs:-$name-jobs-$account}

    step "Zones that offer $gpu_type" "5 s" \
        "choose another --gpu-type (g5.xlarge is offered more widely) or --region, or name --zones yourself."
    [ -n "$zones" ] || zones=$(offered)
    echo "   zones: $zones"

    step "Quota for GPU instances" "5 s" "ask for more, a matter of hours to days: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code $G_QUOTA --desired-value 16 --region $region"
    enough_quota

    step "Buckets" "10 s" "choose other names (--weights-bucket, --jobs-bucket): a bucket's name is unique in all of AWS."
    bucket "$weights"
    bucket "$jobs"

    step "The cluster, its nodes and roles" "25 minutes, 1 where it exists" \
        "read what eksctl says above. A first run that failed half way is removed by: eksctl delete cluster --name $name --region $region --wait"
    rendered
    cluster

    step "Access with kubectl" "5 s" "whoever made the cluster may use it; others need an access entry: aws eks create-access-entry --help"
    run aws eks update-kubeconfig --name "$name" --region "$region" --alias "$name"
    vpc=$(asked VPC aws eks describe-cluster --name "$name" --query cluster.resourcesVpcConfig.vpcId --output text)

    step "Namespace pecia" "2 s" "kubectl --context $name get nodes should list nodes; if it cannot, the step before has to work first."
    namespace

    while IFS=$'\t' read -r release space repository chart version minutes; do
        case $release in '#'*) continue ;; esac
        step "$release $version" "$minutes min" "kubectl --context $name -n $space get pods, then describe the one that is not Ready."
        chart "$release" "$space" "$repository" "$chart" "$version"
    done <eks/charts.tsv

    step "Where secrets come from" "2 s" "kubectl --context $name -n external-secrets get pods: all have to be Ready."
    sed "/# <- --region$/ s/us-west-2/$region/" eks/secret-store.yaml >"build/eks/$name-secret-store.yaml"
    run kubectl --context "$name" apply -f "build/eks/$name-secret-store.yaml"

    finished
    echo "Next: scripts/ecr-setup.sh --region $region, then scripts/deploy.sh all --region $region (docs/DEPLOYMENT.md)."
    echo "Weights go to s3://$weights, documents and results to s3://$jobs. eks/down.sh removes the cluster."
}

# At most three zones in which the GPU can be had, with commas.
offered() {
    local found
    found=$(asked "${region}a ${region}b ${region}c" aws ec2 describe-instance-type-offerings \
        --location-type availability-zone --filters "Name=instance-type,Values=$gpu_type" \
        --query 'InstanceTypeOfferings[].Location' --output text)
    found=$(tr -s '[:space:]' '\n' <<<"$found" | sed '/^$/d' | sort | head -3 | paste -sd,)
    case $found in
    *,*) echo "$found" ;;
    *)
        echo "   $gpu_type is offered in ${found:-no zone} of $region; a cluster needs two zones." >&2
        return 1
        ;;
    esac
}

# A new account may start no GPU at all. Whoever may not look at quotas is not held up.
enough_quota() {
    local found
    found=$(asked 16 aws service-quotas get-service-quota --service-code ec2 --quota-code "$G_QUOTA" \
        --query Quota.Value --output text) || found=
    case $found in
    [0-3] | [0-3].*)
        echo "   This account may run $found vCPUs of G instances in $region; one $gpu_type takes 4 or more." >&2
        return 1
        ;;
    '') echo "   It could not be read; where GPU nodes do not come, look at it in the console." ;;
    *) echo "   $found vCPUs" ;;
    esac
}

bucket() {
    if there aws s3api head-bucket --bucket "$1"; then
        echo "   $1 is there"
    elif [ "$region" = us-east-1 ]; then
        run aws s3api create-bucket --bucket "$1"
    else
        run aws s3api create-bucket --bucket "$1" --create-bucket-configuration "LocationConstraint=$region"
    fi
    run aws s3api put-public-access-block --bucket "$1" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
}

rendered() {
    mkdir -p build/eks
    sed -E \
        -e "/# <- --name$/ s/pecia/$name/" \
        -e "/# <- --region$/ s/us-west-2/$region/" \
        -e "/# <- --zones$/ s/\[.*\]/[${zones//,/, }]/" \
        -e "/# <- --admin-cidr$/ s|0\.0\.0\.0/0|$admin_cidr|" \
        -e "/# <- --weights-bucket$/ s/pecia-weights/$weights/" \
        -e "/# <- --jobs-bucket$/ s/pecia-jobs/$jobs/" \
        -e "/# <- --system-type$/ s/m7i\.xlarge/$system_type/" \
        -e "/# <- --gpu-type$/ s/g6\.xlarge/$gpu_type/" \
        -e "/# <- --gpu-type$/ s/(gpu|nvidia)-l4/\1-$gpu/" \
        -e "/# <- --gpu-max$/ s/4/$gpu_max/" \
        eks/cluster.yaml >"$file"
    echo "   written: $file"
}

# The device plugin comes as a chart of its own, of a version that is known.
cluster() {
    if ! there eksctl get cluster --name "$name" --region "$region"; then
        run eksctl create cluster -f "$file" --install-nvidia-plugin=false
        return
    fi
    run eksctl create nodegroup -f "$file" --install-nvidia-plugin=false
    run eksctl create addon -f "$file"
    local missing=build/eks/$name-missing.yaml
    aws eks list-pod-identity-associations --cluster-name "$name" \
        --query 'associations[].[namespace,serviceAccount]' --output text | without_existing "$file" >"$missing"
    if grep -q '^    - namespace:' "$missing"; then
        run eksctl create podidentityassociation -f "$missing"
    fi
    run eksctl update podidentityassociation -f "$file"
}

# without_existing FILE: the file without those associations of its iam section that standard input names,
# a namespace and a service account on each line. eksctl makes no association twice: it stops.
without_existing() {
    awk '
        NR == FNR { known[$1 "/" $2] = 1; next }
        /^    - namespace: / { space = $3; held = $0; next }
        held != "" { skip = known[space "/" $2]; if (!skip) print held; held = "" }
        /^[a-zA-Z]/ { skip = 0 }
        !skip
    ' - "$1"
}

namespace() {
    there kubectl --context "$name" get namespace pecia || run kubectl --context "$name" create namespace pecia
    run kubectl --context "$name" label namespace pecia --overwrite \
        pod-security.kubernetes.io/enforce=restricted \
        elbv2.k8s.aws/pod-readiness-gate-inject=enabled
}

chart() {
    local more=()
    case $1 in
    aws-load-balancer-controller) more=(--set "clusterName=$name,region=$region,vpcId=$vpc") ;;
    cluster-autoscaler) more=(--set "autoDiscovery.clusterName=$name,awsRegion=$region") ;;
    esac
    run helm upgrade --install "$1" "$4" --repo "$3" --version "$5" --namespace "$2" --create-namespace \
        --kube-context "$name" --values "eks/values/$1.yaml" --wait --timeout 10m "${more[@]}" </dev/null
}

main
