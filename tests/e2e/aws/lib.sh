# Helpers of the aws CLI scripts in this folder; sourced, not run.
#
# Environment: AWS_ENDPOINT_URL   front door, e.g. http://127.0.0.1:8080 (needed)
#              ECS_TEST_CLUSTER   a cluster with at least one connected node; default "default"
#              ECS_TEST_IMAGE     an image with /bin/sh that nodes can pull; default "busybox"
#              AWS                the program; default "aws"
set -eu
: "${AWS_ENDPOINT_URL:?is not set: the address of a front door, e.g. http://127.0.0.1:8080}"
AWS=${AWS:-aws}
CLUSTER=${ECS_TEST_CLUSTER:-default}
IMAGE=${ECS_TEST_IMAGE:-busybox}
export AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test} AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1} AWS_PAGER= AWS_MAX_ATTEMPTS=${AWS_MAX_ATTEMPTS:-3}
export AWS_EC2_METADATA_DISABLED=true

script=$(basename "$0" .sh)
mark=$$-$(date +%s)            # Makes names of one run its own.
n_checks=0
work=$(mktemp -d)
trap 'status=$?; cleanup 2>/dev/null; rm -rf "$work"; exit $status' EXIT
trap 'exit 130' INT TERM
cleanup() { :; }

ecs() { # An operation; its answer on standard output.
    "$AWS" --endpoint-url "$AWS_ENDPOINT_URL" --output json ecs "$@"
}

fail() {
    echo "FAIL $script: $*" >&2
    sed 's/^/    out: /' "$work/out" 2>/dev/null | head -n 40 >&2
    sed 's/^/    err: /' "$work/err" 2>/dev/null | head -n 10 >&2
    exit 1
}

ok() { # ok ARGS...: the operation succeeds; the answer is in $work/out.
    n_checks=$((n_checks + 1))
    ecs "$@" >"$work/out" 2>"$work/err" || fail "$*"
}

has() { # has TEXT...: the last answer contains all of them.
    for text in "$@"; do
        n_checks=$((n_checks + 1))
        grep -qF -- "$text" "$work/out" || fail "no '$text' in the answer"
    done
}

hasnot() {
    n_checks=$((n_checks + 1))
    if grep -qF -- "$1" "$work/out"; then fail "'$1' is in the answer"; fi
}

refused() { # refused CODE TEXT ARGS...: the operation fails with this code and text.
    code=$1 text=$2
    shift 2
    n_checks=$((n_checks + 1))
    if ecs "$@" >"$work/out" 2>"$work/err"; then fail "$* succeeded"; fi
    grep -qF "($code)" "$work/err" || fail "$*: not $code"
    grep -qF -- "$text" "$work/err" || fail "$*: no '$text'"
}

get() { # get QUERY ARGS...: one value, as text.
    query=$1
    shift
    ecs "$@" --query "$query" --output text 2>"$work/err" || fail "$*"
}

knows() { # knows COMMAND: older versions of the CLI lack some.
    ! "$AWS" ecs "$1" --cli-input-json nonsense 2>&1 | grep -q 'Invalid choice'
}

has_member() { # has_member COMMAND MEMBER: likewise for parameters.
    "$AWS" ecs "$1" --generate-cli-skeleton 2>/dev/null | grep -q "\"$2\""
}

finish() {
    echo "ok   $script: $n_checks checks"
}

register() { # register FAMILY [SECONDS]: a task that sleeps; prints family:revision.
    get 'taskDefinition.join(`:`, [family, to_string(revision)])' register-task-definition \
        --family "$1" --container-definitions "[{\"name\":\"main\",\"image\":\"$IMAGE\",\"cpu\":16,
        \"memory\":16,\"command\":[\"/bin/sh\",\"-c\",\"sleep ${2:-3600}\"]}]"
}

until_true() { # until_true SECONDS COMMAND...: try again until it succeeds.
    limit=$(($(date +%s) + $1))
    shift
    while ! "$@"; do
        [ "$(date +%s)" -lt "$limit" ] || return 1
        sleep 0.5
    done
}
