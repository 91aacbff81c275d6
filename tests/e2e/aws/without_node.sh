#!/bin/sh
# DeregisterContainerInstance, where there are nodes to spare; runs last, because the node is gone.
. "$(dirname "$0")/functions"
n=$(get 'length(containerInstanceArns)' list-container-instances --cluster "$CLUSTER" --status ACTIVE)
if [ "$n" -lt 3 ]; then
    echo "skip $script: needs 3 nodes, there are $n"
    exit 0
fi
node=$(get 'containerInstanceArns[-1]' list-container-instances --cluster "$CLUSTER" --status ACTIVE)
ok deregister-container-instance --cluster "$CLUSTER" --container-instance "${node##*/}" --force
has '"status": "INACTIVE"' "$node"
ok describe-container-instances --cluster "$CLUSTER" --container-instances "$node"
has '"status": "INACTIVE"'
ok list-container-instances --cluster "$CLUSTER"
hasnot "$node"
refused InvalidParameterException 'not found' deregister-container-instance --cluster "$CLUSTER" --container-instance "$node"
sleep 3 # Its agent may not bring it back.
ok list-container-instances --cluster "$CLUSTER"
hasnot "$node"
finish
