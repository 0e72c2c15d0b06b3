#!/usr/bin/env bash
# Makes the repositories of the images in Amazon ECR where they are missing, and signs docker in.
# With --push it tags what scripts/build.sh built and pushes it.
#
#   scripts/ecr-setup.sh                          repositories and sign-in: some seconds
#   scripts/ecr-setup.sh --push                   and push: minutes, the CUDA image is some GB
#   scripts/ecr-setup.sh --push --only gateway
#
#   --region REGION    default us-west-2
#   --only NAMES       of gateway, ui, worker, operator, ocr, ocr-cuda, with commas
#   --tag TAG          in place of the project's version
#   --push             tag and push
#   --remove           delete the repositories with their images instead
#   --print            print every command and run none (--dry-run is the same)
#
# Pushed images are scanned by ECR; untagged ones are deleted after a week. Needs the rights of
# eks/iam/images.json.

cd "$(dirname "$0")/.." || exit 1
. scripts/steps.sh
. scripts/images.sh

region=us-west-2 only='' tag='' push='' remove=''
while [ $# -gt 0 ]; do
    case $1 in
    --region) region=$(value "$@"); shift ;;
    --only) only=$(value "$@"); shift ;;
    --tag) tag=$(value "$@"); shift ;;
    --push) push=1 ;;
    --remove) remove=1 ;;
    --print | --dry-run) PRINT=1 ;;
    -h | --help) help_of scripts/ecr-setup.sh && exit 0 ;;
    *) wrong_use "there is no $1" ;;
    esac
    shift
done
[ -z "$push" ] || [ -z "$remove" ] || wrong_use "--push and --remove do not go together"
names=$(chosen "$only")
tag=${tag:-$(version_of_images)}
export AWS_PAGER='' AWS_DEFAULT_REGION=$region

main() {
    step "Identity" "2 s" "sign in: aws configure, or aws sso login."
    need aws "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    account=$(asked ACCOUNT aws sts get-caller-identity --query Account --output text)
    registry=$account.dkr.ecr.$region.amazonaws.com

    step "Repositories in $registry" "10 s" "somebody has to give you the rights of eks/iam/images.json."
    for name in $names; do
        if [ -n "$remove" ]; then removed "$name"; else made "$name"; fi
    done
    if [ -n "$remove" ]; then finished && return; fi

    step "Sign-in" "2 s" "start docker's daemon; the sign-in is good for 12 hours."
    tool=$(containers)
    shown "aws ecr get-login-password | $tool login --username AWS --password-stdin $registry"
    if [ -z "$PRINT" ]; then
        aws ecr get-login-password | "$tool" login --username AWS --password-stdin "$registry"
    fi
    if [ -n "$push" ]; then pushed; fi
    finished
    echo "Registry: $registry"
}

made() {
    if there aws ecr describe-repositories --repository-names "pecia/$1"; then
        echo "   pecia/$1 is there"
        return
    fi
    run aws ecr create-repository --repository-name "pecia/$1" \
        --image-scanning-configuration scanOnPush=true --query repository.repositoryUri --output text
    run aws ecr put-lifecycle-policy --repository-name "pecia/$1" \
        --lifecycle-policy-text file://eks/ecr-lifecycle.json --query repositoryName --output text
}

removed() {
    there aws ecr describe-repositories --repository-names "pecia/$1" || [ -n "$PRINT" ] || return 0
    run aws ecr delete-repository --repository-name "pecia/$1" --force --query repository.repositoryName --output text
}

pushed() {
    for name in $names; do
        step "Push pecia/$name:$tag" "some minutes" "scripts/build.sh --only $name builds what is missing; sign in again after 12 hours."
        run "$tool" tag "pecia/$name:$tag" "$registry/pecia/$name:$tag"
        run "$tool" push "$registry/pecia/$name:$tag"
    done
}

main
