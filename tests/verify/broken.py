"""Mutations of generated manifests, each with the message that refuses it: (profile, old text, new text, message)."""

from __future__ import annotations

from generator.verify import schema

#: All kinds but one of the two ways in.
COMMON = """\
  namespace: web
  create_namespace: true
  allowed_namespaces: [ingress]
  egress: [{cidr: 10.0.0.0/8, port: 5432}]
  metrics: prometheus
  metrics_image: registry.example/statsd-exporter:1
  volumes: [{name: cache, mount_path: /cache, size: 10Mi}]
"""
PROXIES = "forwarded_allow_ips: 10.244.0.0/16\n"
INGRESS = f"{PROXIES}kubernetes:\n{COMMON}  route: {{kind: ingress, host: app.example.com}}\n"
HTTPROUTE = f"{PROXIES}kubernetes:\n{COMMON}  route: {{kind: httproute, host: app.example.com, gateway: public}}\n"
LONG = f"{HTTPROUTE}request_timeout: 300\n"
FIXED = "kubernetes: {replicas: 2}\n"
#: What runs beside the app.
BESIDE = """\
kubernetes: {egress: [{cidr: 10.0.0.0/8}]}
jobs: [{name: worker, command: [celery], replicas: 2, resources: {cpu: 1, memory: 1Gi}}]
"""
COMMAND = "app.before_start=[flask, db, upgrade]"
BEFORE = "web-before-start"

LABEL = "app.kubernetes.io/instance: web"
APP = "(Deployment web): spec.template.spec.containers.0"
POD = "(Deployment web): spec.template.spec"

#: Of what the schemas say, at least one for each kind: (profile, old, new, message).
SCHEMA = [
    (
        INGRESS,
        "kind: Namespace\nmetadata:",
        "kind: Namespace\nspec: {finalizer: []}\nmetadata:",
        "(Namespace web): spec",
    ),
    (
        INGRESS,
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: never",
        "(ServiceAccount web): autom",
    ),
    (INGRESS, "\ndata:\n", "\ndate: {}\ndata:\n", "(ConfigMap web): Additional properties are not allowed ('date'"),
    (INGRESS, "readinessProbe:", "readynessProbe:", f"{APP}: Additional properties are not allowed ('readynessProbe'"),
    (FIXED, "replicas: 2", 'replicas: "two"', '(Deployment web): spec.replicas: "two" is not of type'),
    (INGRESS, "port: 80\n", "port: http\n", '(Service web): spec.ports.0.port: "http" is not of type'),
    (INGRESS, "maxReplicas:", "maximumReplicas:", '(HorizontalPodAutoscaler web): spec: "maxReplicas" is a required'),
    (INGRESS, "unhealthyPodEvictionPolicy", "unhealthyPodPolicy", "(PodDisruptionBudget web): spec: Additional"),
    (
        INGRESS,
        "policyTypes:\n    - Ingress\n    - Egress",
        "policyTypes: Ingress",
        "(NetworkPolicy web): spec.policyTypes",
    ),
    (INGRESS, "pathType: Prefix", "type: Prefix", '(Ingress web): spec.rules.0.http.paths.0: "pathType" is a req'),
    (HTTPROUTE, "backendRefs:", "backends:", "(HTTPRoute web): spec.rules.0.backends: unknown field"),
    (HTTPROUTE, "backendRefs:", "backends:", "(HTTPRoute web): spec.rules.0.backendRefs: is missing"),
    (
        HTTPROUTE,
        "type: PathPrefix",
        "type: Prefix",
        "path.type: 'Prefix' is none of Exact, PathPrefix, RegularExpression",
    ),
    (LONG, "request: 305s", "request: 5min", "(HTTPRoute web): spec.rules.0.timeouts.request: '5min' is no duration"),
    (LONG, "request: 305s", "requests: 305s", "spec.rules.0.timeouts.requests: unknown field"),
    (HTTPROUTE, "value: /\n", "value: //x\n", "path.value: '//x' is no absolute path"),
    (HTTPROUTE, "- app.example.com", '- "app example"', "(HTTPRoute web): spec.hostnames.0: 'app example' is no host"),
    (HTTPROUTE, "          port: 80\n", '          port: "80"\n', "spec.rules.0.backendRefs.0.port: '80' is no int"),
    (
        INGRESS,
        "apiVersion: policy/v1",
        "apiVersion: policy/v1beta1",
        "apiVersion: policy/v1beta1 is deprecated: write policy/v1",
    ),
    (INGRESS, "kind: Service\n", "kind: Cronjob\n", "(Cronjob web): apiVersion: Kubernetes 1.37 has no Cronjob in v1"),
    (INGRESS, "kind: Service\n", "sort: Service\n", "document 4: no API object"),
    (INGRESS, "kind: ServiceAccount\n", "kind: Service\n", "metadata.name: a second Service web in one file"),
    (INGRESS, "kind: Service\n", "kind: [\n", "not YAML"),
]

#: Of what no schema says: (profile, old, new, message).
FIELDS = [
    (
        INGRESS,
        "imagePullPolicy: IfNotPresent",
        "imagePullPolicy: Sometimes",
        f"{APP}.imagePullPolicy: 'Sometimes' is none of",
    ),
    (INGRESS, "containerPort: 8000", "containerPort: 80000", f"{APP}.ports.0.containerPort: 80000 is no port"),
    (INGRESS, "    - name: http\n", "    - name: http\n      nodePort: 0\n", "spec.ports.0.nodePort: 0 is no port"),
    (INGRESS, "sizeLimit: 16Mi", "sizeLimit: 16Mx", "emptyDir.sizeLimit: '16Mx' is no quantity"),
    (INGRESS, "memory: 512Mi", "memory: -1", "resources.requests.memory: -1 is no quantity"),
    (INGRESS, "medium: Memory", "medium: Ram", "emptyDir.medium: 'Ram' is none of"),
    (INGRESS, "pathType: Prefix", "pathType: Begin", "pathType: 'Begin' is none of"),
    (
        INGRESS,
        "type: RuntimeDefault",
        "type: Default",
        f"{POD}.securityContext.seccompProfile.type: 'Default' is none of",
    ),
    (
        INGRESS,
        "whenUnsatisfiable: ScheduleAnyway",
        "whenUnsatisfiable: Ignore",
        "whenUnsatisfiable: 'Ignore' is none of",
    ),
    (INGRESS, "type: Utilization", "type: Percent", "target.type: 'Percent' is none of"),
    (INGRESS, "    - Egress\n", "    - Outgoing\n", "(NetworkPolicy web): spec.policyTypes.1: 'Outgoing' is none of"),
    (INGRESS, "failureThreshold: 1\n", "failureThreshold: 0\n", "readinessProbe.failureThreshold: 0 must be 1 or more"),
    (INGRESS, "periodSeconds: 2\n", "periodSeconds: -4\n", "startupProbe.periodSeconds: -4 must be 1 or more"),
    (
        INGRESS,
        "          livenessProbe:\n",
        "          livenessProbe:\n            successThreshold: 2\n",
        "must be 1 for startup and liveness",
    ),
    (
        INGRESS,
        "startupProbe:\n            tcpSocket:\n              port: http\n",
        "startupProbe:\n",
        "startupProbe: a probe has exactly one of",
    ),
    (
        INGRESS,
        "startupProbe:\n",
        "startupProbe:\n            httpGet: {path: /, port: http}\n",
        "this one has httpGet, tcpSocket",
    ),
    (INGRESS, "  name: web\n  labels:", "  name: Web\n  labels:", "metadata.name: 'Web' is no DNS label"),
    (
        INGRESS,
        "- name: shm\n          emptyDir",
        "- name: s_m\n          emptyDir",
        "volumes.2.name: 's_m' is no DNS label",
    ),
    (INGRESS, "- name: app\n", "- name: metrics_\n", "containers.0.name: 'metrics_' is no DNS label"),
    (
        INGRESS,
        "- name: shm\n          emptyDir",
        "- name: tmp\n          emptyDir",
        "volumes.2.name: 'tmp' is taken already",
    ),
    (INGRESS, "by: container-kit", "by: a kit", "app.kubernetes.io/managed-by: 'a kit' is no label value"),
    (
        INGRESS,
        "- name: metrics\n              containerPort",
        "- name: metrics-of-server\n              containerPort",
        "no port name of at most 15",
    ),
    (INGRESS, "sizeLimit: 16Mi", "sizeLimit: 16Gi", f"{POD}.volumes: folders in memory may take"),
    (INGRESS, "emptyDir:\n            sizeLimit: 10Mi", "emptyDir: {}", "volumes.3.emptyDir: has no sizeLimit"),
    (INGRESS, "seconds: 5\n", "seconds: 40\n", "preStop: sleeps 40 s of the 40 s of terminationGracePeriodSeconds"),
    (INGRESS, 'cpu: "1"', 'cpu: "2"', "resources.requests.cpu: 2 is above the limit of 1"),
    (INGRESS, "- name: app\n", "- name: app\n          env: [{name: A}, {name: A}]\n", "env.1.name: 'A' is set twice"),
]

REFERENCES = [
    (
        INGRESS,
        f"selector:\n    {LABEL}",
        f"selector:\n    {LABEL}2",
        "(Service web): spec.selector: app.kubernetes.io/instance=web2 matches no pod",
    ),
    (
        INGRESS,
        f"selector:\n    {LABEL}",
        "selector: {}",
        "(Service web): spec.selector: selects every pod of the namespace",
    ),
    (
        INGRESS,
        f"matchLabels:\n      {LABEL}\n  strategy",
        "matchLabels:\n      app: web\n  strategy",
        "(Deployment web): spec.selector.matchLabels: app=web matches no pod",
    ),
    (
        INGRESS,
        f"Allow\n  selector:\n    matchLabels:\n      {LABEL}",
        "Allow\n  selector:\n    matchLabels:\n      app: w",
        "(PodDisruptionBudget web): spec.selector.matchLabels: app=w matches no pod",
    ),
    (
        INGRESS,
        f"podSelector:\n    matchLabels:\n      {LABEL}",
        "podSelector:\n    matchLabels:\n      app: w",
        "(NetworkPolicy web): spec.podSelector.matchLabels: app=w matches no pod",
    ),
    (
        INGRESS,
        f"labelSelector:\n            matchLabels:\n              {LABEL}",
        "labelSelector:\n            matchLabels:\n              app: w",
        "topologySpreadConstraints.0.labelSelector.matchLabels: app=w matches no pod",
    ),
    (
        INGRESS,
        "kind: Deployment\n    name: web",
        "kind: Deployment\n    name: wob",
        "(HorizontalPodAutoscaler web): spec.scaleTargetRef: apiVersion=apps/v1, kind=Deployment, name=wob is not",
    ),
    (INGRESS, "  minReplicas: 2", "  minReplicas: 9", "spec.maxReplicas: 3 is below minReplicas 9"),
    (INGRESS, "container: app", "container: server", "no container is named 'server'"),
    (
        INGRESS,
        "spec:\n  # replicas is left out",
        "spec:\n  replicas: 2\n  # replicas is left out",
        "(Deployment web): spec.replicas: an autoscaler sets them",
    ),
    (INGRESS, "targetPort: http", "targetPort: web", "(Service web): spec.ports.0.targetPort: no port is named 'web'"),
    (
        INGRESS,
        "tcpSocket:\n              port: http",
        "tcpSocket:\n              port: web",
        "startupProbe.tcpSocket.port: no port is named 'web'",
    ),
    (
        INGRESS,
        "        - port: http\n",
        "        - port: web\n",
        "(NetworkPolicy web): spec.ingress.0.ports.0.port: no port is named 'web'",
    ),
    (
        INGRESS,
        "                  name: http\n",
        "                  name: web\n",
        "(Ingress web): spec.rules.0.http.paths.0.backend.service.port: the Service has no port name=web",
    ),
    (
        INGRESS,
        "service:\n                name: web",
        "service:\n                name: wob",
        "(Ingress web): spec.rules.0.http.paths.0.backend.service.name: no Service is named 'wob'",
    ),
    (
        HTTPROUTE,
        "          port: 80\n",
        "          port: 8000\n",
        "(HTTPRoute web): spec.rules.0.backendRefs.0.port: the Service has no port 8000",
    ),
    (
        HTTPROUTE,
        "- name: web\n          port",
        "- name: wob\n          port",
        "(HTTPRoute web): spec.rules.0.backendRefs.0.name: no Service is named 'wob'",
    ),
    (
        INGRESS,
        "            - name: tmp\n",
        "            - name: temp\n",
        "volumeMounts.1.name: no volume is named 'temp'",
    ),
    (INGRESS, "            - name: tmp\n", "            - name: temp\n", "volumes: nothing mounts 'tmp'"),
    (
        INGRESS,
        "subPath: gunicorn.conf.py",
        "subPath: gunicorn.py",
        "volumeMounts.0.subPath: the ConfigMap has no key 'gunicorn.py'",
    ),
    (INGRESS, "mountPath: /dev/shm", "mountPath: /tmp", "volumeMounts: /tmp is mounted twice"),
    (
        INGRESS,
        "serviceAccountName: web",
        "serviceAccountName: wob",
        "serviceAccountName: no ServiceAccount is named 'wob'",
    ),
    (
        INGRESS,
        "  namespace: web\n",
        "  namespace: wob\n",
        "(ServiceAccount web): metadata.namespace: 'wob', but the Deployment is in 'web'",
    ),
    (
        INGRESS,
        "metadata:\n  name: web\n",
        "metadata:\n  name: wob\n",
        "(Namespace wob): metadata.name: 'wob', but the Deployment is in 'web'",
    ),
]

WARNINGS = [
    (
        INGRESS,
        "topologyKey: topology.kubernetes.io/zone",
        "topologyKey: failure-domain.beta.kubernetes.io/zone",
        "is deprecated: write topology.kubernetes.io/zone",
    ),
    (
        INGRESS,
        "serviceAccountName: web",
        "serviceAccount: web",
        f"{POD}.serviceAccount: is deprecated: write serviceAccountName",
    ),
    (
        INGRESS,
        "kind: Ingress\nmetadata:\n",
        "kind: Ingress\nmetadata:\n  annotations: {kubernetes.io/ingress.class: nginx}\n",
        "is deprecated: write spec.ingressClassName",
    ),
]


#: The same of what runs beside the app: (profile, old, new, message).
COMPANIONS = [
    (BESIDE, "backoffLimit: 0", "backoffLimit: none", "(Job web-before-start-"),
    (BESIDE, "restartPolicy: Never", "restartPolicy: Once", "restartPolicy: 'Once' is none of"),
    (BESIDE, "    verbs:\n", "    verb:\n", f"(Role {BEFORE}): rules.0"),
    (
        BESIDE,
        "  kind: Role\n  name: web",
        "  kind: Role\n  name: wob",
        "roleRef.name: no Role is named 'wob-before-start'",
    ),
    (BESIDE, "ServiceAccount\n    name: web", "ServiceAccount\n    name: wob", "subjects.0.name: no ServiceAccount is"),
    (BESIDE, f"Names:\n      - {BEFORE}", "Names:\n      - other", "resourceNames.0: no ConfigMap is named 'other'"),
    (
        BESIDE,
        "            - name: token\n",
        "            - name: key\n",
        "volumeMounts.0.name: no volume is named 'key'",
    ),
    (
        BESIDE,
        "        - name: token\n          proj",
        "        - name: key\n          proj",
        "volumes: nothing mounts 'key'",
    ),
    (
        BESIDE,
        f"matchLabels:\n      app.kubernetes.io/instance: {BEFORE}",
        "matchLabels:\n      app.kubernetes.io/instance: other",
        f"(NetworkPolicy {BEFORE}): spec.podSelector.matchLabels: app.kubernetes.io/instance=other matches no pod",
    ),
    (
        BESIDE,
        f"selector:\n    {LABEL}\n",
        "selector:\n    app.kubernetes.io/name: web\n",
        "(Service web): spec.selector: app.kubernetes.io/name=web matches the pods of Job web-before-start-",
    ),
    (
        BESIDE,
        f"selector:\n    matchLabels:\n      {LABEL}\n  strategy",
        "selector:\n    matchLabels:\n      app.kubernetes.io/name: web\n  strategy",
        "(Deployment web): spec.selector.matchLabels: matches the pods of Job web-before-start-",
    ),
    (
        BESIDE,
        f"kind: ConfigMap\nmetadata:\n  name: {BEFORE}",
        "kind: ConfigMap\nmetadata:\n  name: web",
        "a second ConfigMap web",
    ),
    (
        BESIDE,
        "  name: web-worker\n",
        "  name: web\n",
        "(Deployment web): metadata.name: a second Deployment web in one file",
    ),
    (
        BESIDE,
        "- name: job\n",
        "- name: Job\n",
        "(Deployment web-worker): spec.template.spec.containers.0.name: 'Job' is no",
    ),
    (
        BESIDE,
        "matchLabels:\n      app.kubernetes.io/instance: web-worker\n  strategy",
        "matchLabels:\n      app: w\n  strategy",
        "(Deployment web-worker): spec.selector.matchLabels: app=w matches no pod",
    ),
    (
        BESIDE,
        "        app.kubernetes.io/instance: web-worker\n        app.kubernetes.io/name: web\n",
        "        app.kubernetes.io/instance: web\n        app.kubernetes.io/name: web\n",
        "(Service web): spec.selector: app.kubernetes.io/instance=web matches the pods of Deployment web-worker too",
    ),
    (BESIDE, "serviceAccountName: web", "serviceAccountName: wob", "(Job web-before-start-"),
]

BROKEN = [*SCHEMA, *FIELDS, *REFERENCES, *WARNINGS, *COMPANIONS]


def bundled_minors() -> tuple[str, ...]:
    """The Kubernetes minors that the installed schemas know, oldest first."""
    names = (path.name for path in schema._bundle().glob("v1.*.0-local-strict"))
    return tuple(f"1.{number}" for number in sorted(int(name.split(".")[1]) for name in names))
