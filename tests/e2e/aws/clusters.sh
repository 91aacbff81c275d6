#!/bin/sh
# CreateCluster DescribeClusters ListClusters UpdateCluster UpdateClusterSettings
# PutClusterCapacityProviders DeleteCluster
. "$(dirname "$0")/functions"
a=e2e-a-$mark b=e2e-b-$mark
cleanup() { for c in "$a" "$b"; do ecs delete-cluster --cluster "$c"; done >/dev/null; }

ok create-cluster --cluster-name "$a" --tags key=team,value=blue --settings name=containerInsights,value=enabled
has '"status": "ACTIVE"' "cluster/$a" '"value": "blue"' '"containerInsights"'
ok create-cluster --cluster-name "$a"
has "cluster/$a"
ok create-cluster --cluster-name "$b"
refused InvalidParameterException inconsistent create-cluster --cluster-name "$a" --tags key=team,value=red
refused InvalidParameterException 'invalid characters' create-cluster --cluster-name 'a b'
refused UnsupportedFeatureException FARGATE create-cluster --cluster-name x --capacity-providers FARGATE

ok describe-clusters --clusters "$a" "none-$mark"
has '"registeredContainerInstancesCount": 0' '"reason": "MISSING"'
hasnot '"blue"'
ok describe-clusters --clusters "$a" --include TAGS SETTINGS STATISTICS CONFIGURATIONS
has '"blue"' '"containerInsights"' '"runningEC2TasksCount"'

ok list-clusters
has "cluster/$a" "cluster/$b"
first=$(get 'clusterArns[0]' list-clusters --max-items 1)
[ -n "$first" ] || fail "no first page"
refused InvalidParameterException 'Invalid token' list-clusters --starting-token eyJuZXh0VG9rZW4iOiAieHgifQ==
all=$(get 'clusterArns[].[@]' list-clusters --page-size 1 | wc -l)
plain=$(get 'clusterArns[].[@]' list-clusters | wc -l)
[ "$all" = "$plain" ] || fail "pages show $all clusters, one list shows $plain"

ok update-cluster-settings --cluster "$a" --settings name=containerInsights,value=disabled
has '"disabled"'
ok update-cluster --cluster "$a" --configuration 'executeCommandConfiguration={logging=NONE}'
has '"logging": "NONE"' '"disabled"'
refused ClusterNotFoundException 'Cluster not found.' update-cluster --cluster "none-$mark"
ok put-cluster-capacity-providers --cluster "$a" --capacity-providers '[]' --default-capacity-provider-strategy '[]'

ok delete-cluster --cluster "$b"
has '"status": "INACTIVE"'
refused ClusterNotFoundException 'Cluster not found.' delete-cluster --cluster "none-$mark"
ok list-clusters
hasnot "cluster/$b\""
finish
