#!/bin/sh
# What is not implemented, and other services, answer errors that the CLI can read.
. "$(dirname "$0")/functions"
refused UnsupportedFeatureException 'not implemented' list-account-settings
refused UnsupportedFeatureException 'not implemented' describe-task-sets --cluster "$CLUSTER" --service x
refused UnsupportedFeatureException 'not implemented' get-task-protection --cluster "$CLUSTER" --tasks x
other() {
    n_checks=$((n_checks + 1))
    if "$AWS" --endpoint-url "$AWS_ENDPOINT_URL" "$@" >"$work/out" 2>"$work/err"; then fail "$* succeeded"; fi
    grep -qF UnknownOperationException "$work/err" || fail "$*"
}
other ssm list-documents
other elbv2 describe-load-balancers
other ec2 describe-vpcs
other scheduler list-schedules
finish
