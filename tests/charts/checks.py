"""Checks of rendered manifests that no general tool knows: what OpenReg promises about its rights and its pods.

usage: checks.py RENDERED.yaml...   One line a check that failed; the last line counts.
"""

import re
import sys

import yaml

PASSED = FAILED = 0


def check(ok, what):
    global PASSED, FAILED
    if ok:
        PASSED += 1
    else:
        FAILED += 1
        print(f"FAILED {what}")


def rights(role):
    for rule in role.get("rules") or []:
        for group in rule.get("apiGroups", []):
            for resource in rule.get("resources", []):
                for verb in rule["verbs"]:
                    yield group, resource, verb


def check_rights(where, documents):
    bound_everywhere = {d["roleRef"]["name"] for d in documents if d["kind"] == "ClusterRoleBinding"}
    for d in documents:
        if d["kind"] not in ("Role", "ClusterRole"):
            continue
        name = f"{where} {d['kind']}/{d['metadata']['name']}"
        every = list(rights(d))
        check(every, f"{name}: has no rule")
        check(not any("*" in right for right in every), f"{name}: a wildcard")
        check(not any(resource.split("/")[0] in ("secrets", "roles", "clusterroles", "rolebindings", "clusterrolebindings") for _, resource, _ in every),
              f"{name}: Secrets or roles")
        check(not any(resource in ("pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token") for _, resource, _ in every), f"{name}: a way into pods")
        if d["kind"] == "ClusterRole" and d["metadata"]["name"] in bound_everywhere:
            more = sorted({f"{verb} {resource}" for _, resource, verb in every if verb not in ("get", "list", "watch")})
            check(not more, f"{name}: cluster-wide more than a look: {', '.join(more)}")
    # Jobs are made by one account only, and only through a RoleBinding.
    makers = {d["metadata"]["name"] for d in documents if d["kind"] in ("Role", "ClusterRole") for g, r, v in rights(d) if (r, v) == ("jobs", "create")}
    check(all(m.endswith("-operator-tenant") for m in makers), f"{where}: Jobs can be made by {makers}")
    known = {d["metadata"]["name"] for d in documents if d["kind"] in ("Role", "ClusterRole")}
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    for d in documents:
        if d["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            check(d["roleRef"]["name"] in known, f"{where} {d['kind']}/{d['metadata']['name']}: role {d['roleRef']['name']} is not in the chart")
            for s in d["subjects"]:
                check(s["kind"] == "ServiceAccount" and s["name"] in accounts, f"{where} {d['kind']}/{d['metadata']['name']}: subject {s['name']} is not in the chart")


def check_pods(where, documents):
    for d in documents:
        if d["kind"] != "Deployment":
            continue
        name = f"{where} Deployment/{d['metadata']['name']}"
        template = d["spec"]["template"]
        spec = template["spec"]
        selector = d["spec"]["selector"]["matchLabels"]
        check(selector.items() <= template["metadata"]["labels"].items(), f"{name}: the selector does not select its pods")
        check("app.kubernetes.io/version" not in selector, f"{name}: the selector changes with the version")
        check(spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: not restricted")
        check(not any(k in spec for k in ("hostNetwork", "hostPID", "hostIPC")), f"{name}: a namespace of the host")
        check(not any("hostPath" in v for v in spec.get("volumes") or []), f"{name}: a path of the host")
        volumes = {v["name"] for v in spec.get("volumes") or []}
        for c in (spec.get("initContainers") or []) + spec["containers"]:
            s = c["securityContext"]
            check(s["allowPrivilegeEscalation"] is False and s["capabilities"]["drop"] == ["ALL"] and s["readOnlyRootFilesystem"] is True, f"{name} {c['name']}: not restricted")
            check({"cpu", "memory"} <= c["resources"]["limits"].keys() and {"cpu", "memory"} <= c["resources"]["requests"].keys(), f"{name} {c['name']}: resources")
            check({m["name"] for m in c.get("volumeMounts") or []} <= volumes, f"{name} {c['name']}: mounts a volume that is not there")
            names = [e["name"] for e in c.get("env") or []]
            check(len(names) == len(set(names)), f"{name} {c['name']}: a variable twice")
            # A value in the manifest can be read by whoever may read the Deployment.
            check(not any(re.search(r"PASSWORD|TOKEN|_KEY$|DATABASE_URL", e["name"]) and "value" in e for e in c.get("env") or []), f"{name} {c['name']}: a secret as a value")
        spread = spec["topologySpreadConstraints"]
        check(all(c["whenUnsatisfiable"] == "ScheduleAnyway" and c["labelSelector"]["matchLabels"] == selector for c in spread) and spread, f"{name}: is not spread")
        for c in spec["containers"]:
            check({"startupProbe", "livenessProbe", "readinessProbe"} <= c.keys(), f"{name} {c['name']}: probes")


def check_names(where, documents):
    seen = set()
    for d in documents:
        key = (d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"])
        check(key not in seen, f"{where}: {key} twice")
        seen.add(key)
        check(len(d["metadata"]["name"]) <= 63, f"{where}: {key} is longer than 63")
        for k, v in (d["metadata"].get("labels") or {}).items():
            check(isinstance(v, str) and len(v) <= 63, f"{where} {key}: label {k}")


def check_reach(where, documents):
    """Nobody reaches the API by a policy that was meant for something else: what serves it serves its metrics, too."""
    policies = [d for d in documents if d["kind"] == "NetworkPolicy"]
    pods = {d["metadata"]["name"]: d["spec"]["template"]["metadata"]["labels"] for d in documents if d["kind"] == "Deployment"}
    for name, labels in pods.items():
        mine = [p for p in policies if selects(p["spec"]["podSelector"], labels)]
        if not policies:
            continue
        check(any("Ingress" in p["spec"]["policyTypes"] and not p["spec"].get("ingress") for p in mine), f"{where} {name}: nothing denies what is not named")
        named = [p["metadata"]["name"] for p in mine if p["spec"].get("ingress")]
        part = name.rsplit("-", 1)[-1]
        check(len(named) == 1 and named[0].endswith("-api" if part == "api" else "-metrics"), f"{where} {name}: is reached by {named}")


def selects(selector, labels):
    expressions = selector.get("matchExpressions") or []
    assert all(e["operator"] == "In" for e in expressions), "another operator than In: teach this function"
    return (selector.get("matchLabels") or {}).items() <= labels.items() and all(labels.get(e["key"]) in e["values"] for e in expressions)


def check_definitions(where, documents):
    for d in documents:
        if d["kind"] == "CustomResourceDefinition":
            check(d["metadata"]["annotations"].get("helm.sh/resource-policy") == "keep", f"{where} {d['metadata']['name']}: is not kept on uninstall")
            check(len(yaml.safe_dump(d)) <= 128 * 1024, f"{where} {d['metadata']['name']}: above 128 KiB")


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            documents = [d for d in yaml.safe_load_all(file) if d]
        check(documents, f"{path}: nothing was rendered")
        for each in (check_rights, check_pods, check_names, check_reach, check_definitions):
            each(path.rsplit("/", 1)[-1], documents)
    print(f"{PASSED} passed, {FAILED} failed")
    sys.exit(1 if FAILED else 0)


main()
