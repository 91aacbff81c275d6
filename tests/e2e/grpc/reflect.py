#!/usr/bin/python3
"""Every operation through a stock gRPC client that knows nothing beforehand: message types come
from server reflection, as grpcurl does it. Needs python3-grpcio and python3-protobuf only.

Environment: ECS_ENDPOINT      host:port of a front door, or several with commas: the first is used
             ECS_CA ECS_CERT ECS_KEY   PEM files for TLS; without them the port is taken as plain
             ECS_SERVER_NAME   name or address in the controller's certificate; default: the host
             ECS_TEST_CLUSTER  a cluster with a connected node; default "default"
             ECS_TEST_IMAGE    an image with /bin/sh; default: the lab's, else "busybox"
             ECS_TEST_ADMIN, ECS_LAB_DIR   either set: exercise the admin service as well
             ECS_TEST_NODES    0: there is no node, leave out what needs one
"""
import os
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format

try:
    from google.protobuf.message_factory import GetMessageClass
except ImportError:  # protobuf before 4.22
    from google.protobuf.message_factory import MessageFactory

    def GetMessageClass(descriptor):
        return MessageFactory().GetPrototype(descriptor)


# --- the reflection protocol, spelt out because its Python package is not in every distribution ---

REFLECTION = "grpc.reflection.v1alpha"


def reflection_types():
    """Types of grpc.reflection.v1alpha, as far as they are used here."""
    field = descriptor_pb2.FieldDescriptorProto
    f = descriptor_pb2.FileDescriptorProto(name="reflection.proto", package=REFLECTION, syntax="proto3")

    def message(name, *fields):
        m = f.message_type.add(name=name)
        for number, fname, kind, label, ref in fields:
            m.field.add(name=fname, number=number, type=kind, label=label,
                        type_name=f".{REFLECTION}.{ref}" if ref else None)

    one, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    text, raw, sub, integer = field.TYPE_STRING, field.TYPE_BYTES, field.TYPE_MESSAGE, field.TYPE_INT32
    message("Request", (4, "file_containing_symbol", text, one, None), (7, "list_services", text, one, None),
            (3, "file_by_filename", text, one, None))
    message("Files", (1, "file_descriptor_proto", raw, many, None))
    message("Service", (1, "name", text, one, None))
    message("Services", (1, "service", sub, many, "Service"))
    message("Error", (1, "error_code", integer, one, None), (2, "error_message", text, one, None))
    message("Response", (4, "files", sub, one, "Files"), (6, "services", sub, one, "Services"),
            (7, "error", sub, one, "Error"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(f)
    return [GetMessageClass(pool.FindMessageTypeByName(f"{REFLECTION}.{n}")) for n in ("Request", "Response")]


class Client:
    """Calls methods by name with dictionaries, all types from the server."""

    def __init__(self, channel, version="v1alpha"):
        self.channel = channel
        self.version = version
        self.request, self.response = reflection_types()
        self.pool = descriptor_pool.DescriptorPool()
        self.loaded = set()

    def ask(self, **question):
        path = f"/grpc.reflection.{self.version}.ServerReflection/ServerReflectionInfo"
        call = self.channel.stream_stream(path, self.request.SerializeToString, self.response.FromString)
        answers = list(call(iter([self.request(**question)]), timeout=10))
        assert len(answers) == 1, answers
        return answers[0]

    def services(self):
        return [s.name for s in self.ask(list_services="*").services.service]

    def load(self, symbol):
        answer = self.ask(file_containing_symbol=symbol)
        if answer.error.error_code:
            raise LookupError(answer.error.error_message)
        files = {}
        for raw in answer.files.file_descriptor_proto:
            f = descriptor_pb2.FileDescriptorProto.FromString(raw)
            files[f.name] = f
        for f in files.values():
            self.add(f, files)
        return self.pool.FindServiceByName(symbol)

    def add(self, f, files):
        if f.name in self.loaded:
            return
        self.loaded.add(f.name)
        for name in f.dependency:
            self.add(files[name], files)
        self.pool.Add(f)

    def call(self, service, method, request=None, metadata=(), timeout=20):
        m = self.pool.FindServiceByName(service).FindMethodByName(method)
        take, give = GetMessageClass(m.input_type), GetMessageClass(m.output_type)
        stub = self.channel.unary_unary(f"/{service}/{method}", take.SerializeToString, give.FromString)
        answer = stub(json_format.ParseDict(request or {}, take()), metadata=metadata, timeout=timeout)
        return json_format.MessageToDict(answer)


# --- the walk through the API -----------------------------------------------------------------------

ECS, ADMIN = "ecs.v1.EcsService", "ecs.admin.v1.AdminService"
CLUSTER = os.environ.get("ECS_TEST_CLUSTER", "default")
REGISTRY = os.environ.get("ECS_REGISTRY")
IMAGE = os.environ.get("ECS_TEST_IMAGE", f"{REGISTRY}/demo:1" if REGISTRY else "busybox")
MARK = f"{os.getpid()}-{int(time.time())}"


class Walk:
    def __init__(self, client):
        self.client = client
        self.done = set()
        self.checks = 0

    def ok(self, method, request=None, **kw):
        self.done.add(method)
        self.checks += 1
        return self.client.call(ECS, method, request, **kw)

    def refused(self, method, request, code, reason):
        """Status, and AWS's code in google.rpc.ErrorInfo."""
        self.checks += 1
        try:
            self.client.call(ECS, method, request)
        except grpc.RpcError as e:
            assert e.code() == code, (method, e.code(), e.details())
            details = dict(e.trailing_metadata()).get("grpc-status-details-bin", b"")
            assert reason.encode() in details, (method, reason, details)
            assert b"google.rpc.ErrorInfo" in details
            return e.details()
        raise AssertionError(f"{method} succeeded")

    def until(self, what, seconds=90):
        end = time.time() + seconds
        while time.time() < end:
            found = what()
            if found:
                return found
            time.sleep(0.3)
        raise AssertionError(f"not in {seconds} s: {what.__doc__}")


def need(condition, *what):
    if not condition:
        raise AssertionError(what)


def clusters(w):
    name = f"grpc-{MARK}"
    c = w.ok("CreateCluster", {"clusterName": name, "tags": [{"key": "a", "value": "b"}]})["cluster"]
    need(c["status"] == "ACTIVE", c)
    d = w.ok("DescribeClusters", {"clusters": [name, "none"], "include": ["TAGS"]})
    need(d["clusters"][0]["tags"] and d["failures"][0]["reason"] == "MISSING", d)
    need(c["clusterArn"] in w.ok("ListClusters")["clusterArns"])
    settings = [{"name": "containerInsights", "value": "enabled"}]
    w.ok("UpdateClusterSettings", {"cluster": name, "settings": settings})
    u = w.ok("UpdateCluster", {"cluster": name, "settings": [{"name": "containerInsights", "value": "disabled"}]})
    need(u["cluster"]["settings"][0]["value"] == "disabled", u)
    w.ok("PutClusterCapacityProviders", {"cluster": name})
    w.ok("TagResource", {"resourceArn": c["clusterArn"], "tags": [{"key": "x", "value": "y"}]})
    w.ok("UntagResource", {"resourceArn": c["clusterArn"], "tagKeys": ["a"]})
    t = w.ok("ListTagsForResource", {"resourceArn": c["clusterArn"]})
    need(t["tags"] == [{"key": "x", "value": "y"}], t)
    need(w.ok("DeleteCluster", {"cluster": name})["cluster"]["status"] == "INACTIVE")
    w.refused("UpdateCluster", {"cluster": "none"}, grpc.StatusCode.NOT_FOUND, "ClusterNotFoundException")
    w.refused("CreateCluster", {"clusterName": "a b"}, grpc.StatusCode.INVALID_ARGUMENT, "InvalidParameterException")
    w.ok("ListClusters", metadata=(("x-ecs-consistency", "eventual"),))


def providers(w):
    name = f"grpc-{MARK}"
    pool = {"autoScalingGroupArn": "rack"}
    p = w.ok("CreateCapacityProvider", {"name": name, "autoScalingGroupProvider": pool})["capacityProvider"]
    need(p["status"] == "ACTIVE" and p["autoScalingGroupProvider"]["autoScalingGroupArn"] == "rack", p)
    d = w.ok("DescribeCapacityProviders", {"capacityProviders": [name, "none"]})
    need(d["capacityProviders"][0]["name"] == name and d["failures"][0]["reason"] == "MISSING", d)
    w.ok("UpdateCapacityProvider", {"name": name, "autoScalingGroupProvider": {}})
    d = w.ok("DeleteCapacityProvider", {"capacityProvider": p["capacityProviderArn"]})
    need(d["capacityProvider"]["status"] == "INACTIVE", d)


def definition(w, family):
    container = {"name": "main", "image": IMAGE, "cpu": 16, "memory": 16,
                 "entryPoint": ["/bin/sh", "-c"], "command": ["sleep 3600"], "stopTimeout": 2}
    r = w.ok("RegisterTaskDefinition", {"family": family, "containerDefinitions": [container]})
    return r["taskDefinition"]


def taskdefs(w):
    family = f"grpc-td-{MARK}"
    d = definition(w, family)
    need(d["revision"] == 1 and d["status"] == "ACTIVE", d)
    need(w.ok("DescribeTaskDefinition", {"taskDefinition": family})["taskDefinition"]["revision"] == 1)
    need(w.ok("ListTaskDefinitions", {"familyPrefix": family})["taskDefinitionArns"])
    need(w.ok("ListTaskDefinitionFamilies", {"familyPrefix": family})["families"] == [family])
    d = w.ok("DeregisterTaskDefinition", {"taskDefinition": f"{family}:1"})
    need(d["taskDefinition"]["status"] == "INACTIVE", d)
    d = w.ok("DeleteTaskDefinitions", {"taskDefinitions": [f"{family}:1"]})
    need(d["taskDefinitions"][0]["status"] == "DELETE_IN_PROGRESS", d)
    w.refused("DescribeTaskDefinition", {"taskDefinition": "none:1"}, grpc.StatusCode.NOT_FOUND, "ClientException")


def tasks(w):
    family = f"grpc-task-{MARK}"
    definition(w, family)
    run = {"cluster": CLUSTER, "taskDefinition": family, "clientToken": f"t-{MARK}"}
    t = w.ok("RunTask", run)["tasks"][0]["taskArn"]
    need(w.ok("RunTask", run)["tasks"][0]["taskArn"] == t, "the same token ran another task")

    def describe():
        return w.ok("DescribeTasks", {"cluster": CLUSTER, "tasks": [t]})["tasks"][0]

    def running():
        """the task runs"""
        return describe()["lastStatus"] == "RUNNING"

    def stopped():
        """the task has stopped"""
        return describe()["lastStatus"] == "STOPPED"

    w.until(running)
    need(t in w.ok("ListTasks", {"cluster": CLUSTER, "family": family})["taskArns"])
    node = describe()["containerInstanceArn"]
    s = w.ok("StartTask", {"cluster": CLUSTER, "taskDefinition": family, "containerInstances": [node]})
    w.ok("StopTask", {"cluster": CLUSTER, "task": s["tasks"][0]["taskArn"]})
    w.ok("StopTask", {"cluster": CLUSTER, "task": t, "reason": "done"})
    w.until(stopped)
    need(describe()["stopCode"] == "UserInitiated")
    w.refused("StopTask", {"cluster": CLUSTER, "task": "f" * 32}, grpc.StatusCode.NOT_FOUND,
              "InvalidParameterException")
    w.ok("DeregisterTaskDefinition", {"taskDefinition": f"{family}:1"})


def services(w):
    family, name = f"grpc-svc-{MARK}", f"grpc-{MARK}"
    definition(w, family)
    w.ok("CreateService", {"cluster": CLUSTER, "serviceName": name, "taskDefinition": family, "desiredCount": 1})

    def stable():
        """the service is stable"""
        s = w.ok("DescribeServices", {"cluster": CLUSTER, "services": [name]})["services"][0]
        return len(s["deployments"]) == 1 and s["runningCount"] == s["desiredCount"]

    def gone():
        """the service is INACTIVE"""
        s = w.ok("DescribeServices", {"cluster": CLUSTER, "services": [name]})["services"][0]
        return s["status"] == "INACTIVE"

    w.until(stable)
    arns, token = [], None
    while True:
        page = w.ok("ListServices", {"cluster": CLUSTER, "maxResults": 1, **({"nextToken": token} if token else {})})
        arns += page.get("serviceArns", [])
        token = page.get("nextToken")
        if not token:
            break
    need(len(arns) == len(set(arns)) and any(a.endswith("/" + name) for a in arns), arns)
    w.ok("UpdateService", {"cluster": CLUSTER, "service": name, "desiredCount": 2})
    w.until(stable)
    w.refused("DeleteService", {"cluster": CLUSTER, "service": name}, grpc.StatusCode.FAILED_PRECONDITION,
              "InvalidParameterException")
    w.ok("DeleteService", {"cluster": CLUSTER, "service": name, "force": True})
    w.until(gone)
    w.refused("CreateService", {"cluster": CLUSTER, "serviceName": "x", "taskDefinition": family,
                                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["a"]}}},
              grpc.StatusCode.UNIMPLEMENTED, "UnsupportedFeatureException")
    w.ok("DeregisterTaskDefinition", {"taskDefinition": f"{family}:1"})


def instances(w):
    arns = w.ok("ListContainerInstances", {"cluster": CLUSTER, "filter": "agentConnected == true"})
    need("containerInstanceArns" in arns, "no connected node")
    node = arns["containerInstanceArns"][0]
    d = w.ok("DescribeContainerInstances", {"cluster": CLUSTER, "containerInstances": [node, "f" * 32]})
    need(d["containerInstances"][0]["agentConnected"] and d["failures"], d)
    put = {"name": f"grpc-{MARK}", "value": "1", "targetId": node}
    w.ok("PutAttributes", {"cluster": CLUSTER, "attributes": [put]})
    a = w.ok("ListAttributes", {"cluster": CLUSTER, "targetType": "container_instance",
                                "attributeName": f"grpc-{MARK}"})
    need(a["attributes"][0]["targetId"] == node, a)
    w.ok("DeleteAttributes", {"cluster": CLUSTER, "attributes": [{"name": f"grpc-{MARK}", "targetId": node}]})
    for status in ("DRAINING", "ACTIVE"):
        u = w.ok("UpdateContainerInstancesState", {"cluster": CLUSTER, "containerInstances": [node], "status": status})
        need(u["containerInstances"][0]["status"] == status, u)
    w.refused("DeregisterContainerInstance", {"cluster": CLUSTER, "containerInstance": "f" * 32},
              grpc.StatusCode.NOT_FOUND, "InvalidParameterException")
    w.done.add("DeregisterContainerInstance")  # The real thing would take the node away from others.


def unimplemented(w):
    """The rest of the 88 operations says that it is not there."""
    methods = [m.name for m in w.client.pool.FindServiceByName(ECS).methods]
    need(len(methods) == 88, len(methods))
    for name in sorted(set(methods) - w.done):
        w.refused(name, {}, grpc.StatusCode.UNIMPLEMENTED, "UnsupportedFeatureException")


def health(w):
    check = w.client.call("grpc.health.v1.Health", "Check", {"service": ECS})
    need(check["status"] == "SERVING", check)
    w.checks += 1


def admin(w):
    call = w.client.call
    status = call(ADMIN, "GetStatus")
    need(status["version"] and int(status["memberId"]) > 0, status)
    members = call(ADMIN, "ListMembers")["members"]
    need(any(m.get("leader") for m in members), members)
    token = call(ADMIN, "CreateJoinToken", {"cluster": CLUSTER, "ttlS": 60})["token"]
    need(token.startswith("ECSJOIN-1-"), token)
    family = f"grpc-plan-{MARK}"
    definition(w, family)
    run = {"cluster": CLUSTER, "taskDefinition": family, "count": 2}
    plan = call(ADMIN, "Plan", {"cluster": CLUSTER, "steps": [{"run": run}]})
    why = call(ADMIN, "ExplainTask", {"run": run})
    if os.environ.get("ECS_TEST_NODES") != "0":
        need(plan["feasible"] and plan["steps"][0]["items"][0]["nodes"], plan)
        need(why["feasible"] > 0 and why["list"][0]["rank"] == 1, why)
    w.ok("DeregisterTaskDefinition", {"taskDefinition": f"{family}:1"})
    w.checks += 4


def dial():
    endpoint = os.environ["ECS_ENDPOINT"].split(",")[0]
    if not os.environ.get("ECS_CERT"):
        return grpc.insecure_channel(endpoint)

    def read(name):
        with open(os.environ[name], "rb") as f:
            return f.read()

    options = []
    if os.environ.get("ECS_SERVER_NAME"):
        options.append(("grpc.ssl_target_name_override", os.environ["ECS_SERVER_NAME"]))
    return grpc.secure_channel(
        endpoint, grpc.ssl_channel_credentials(read("ECS_CA"), read("ECS_KEY"), read("ECS_CERT")), options)


def main():
    if "ECS_ENDPOINT" not in os.environ:
        sys.exit("ECS_ENDPOINT is not set: host:port of a front door")
    with dial() as channel:
        client = Client(channel)
        names = client.services()
        for name in (ECS, ADMIN, "grpc.health.v1.Health"):
            need(name in names, names)
            client.load(name)
        need(sorted(Client(channel, "v1").services()) == sorted(names))
        w = Walk(client)
        steps = [health, clusters, providers, taskdefs, instances, tasks, services, unimplemented]
        if os.environ.get("ECS_TEST_NODES") == "0":
            steps = [health, clusters, providers, taskdefs]
        if os.environ.get("ECS_TEST_ADMIN") or os.environ.get("ECS_LAB_DIR"):
            steps.append(admin)
        for step in steps:
            began = time.time()
            step(w)
            print(f"ok   {step.__name__} ({time.time() - began:.1f} s)", flush=True)
        print(f"ok   grpc: {w.checks} calls checked")


if __name__ == "__main__":
    main()
