/*
 * Checks that the API server would accept these objects, and that they meet a restricted security policy.
 *
 *   node validate.js FILE.yaml...      NODE_PATH names the directory with the packages of package.json
 *
 * First by the schemas of Kubernetes and of the Prometheus operator, unknown fields included; then by our
 * own rules. Prints each error on a line; the last line is "N objects".
 */
"use strict";
const fs = require("fs");
const path = require("path");
const yaml = require("yaml");

const problems = [];
let where = "";

function complain(text) {
  problems.push(`${where}: ${text}`);
}

// ---- schemas

// There is no public schema of OpenShift's kinds: their allowed fields are listed here.
const openshift = {
  ImageStream: ["spec.lookupPolicy.local"],
  BuildConfig: [
    "spec.source.type", "spec.source.git.uri", "spec.source.git.ref", "spec.source.sourceSecret.name",
    "spec.strategy.type", "spec.strategy.dockerStrategy.dockerfilePath", "spec.strategy.dockerStrategy.buildArgs.name",
    "spec.strategy.dockerStrategy.buildArgs.value", "spec.output.to.kind",
    "spec.output.to.name", "spec.triggers.type", "spec.resources.limits.memory",
  ],
};

// Its fields are at the top level.
const constraints = [
  "allowHostDirVolumePlugin", "allowHostIPC", "allowHostNetwork", "allowHostPID", "allowHostPorts",
  "allowPrivilegeEscalation", "allowPrivilegedContainer", "allowedCapabilities", "requiredDropCapabilities",
  "defaultAddCapabilities", "readOnlyRootFilesystem", "runAsUser.type", "seLinuxContext.type", "fsGroup.type",
  "supplementalGroups.type", "seccompProfiles", "volumes", "users", "groups", "priority",
];

// Versions that Kubernetes serves no more: their fields that are used here are the same in the version that replaced them.
const replaced = { "policy/v1beta1": "policy/v1" };

function findModel(object) {
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
  const module = group === "monitoring.coreos.com" ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
  for (const name of [group, group.replace(/\.k8s\.io$/, "")]) {
    try {
      const model = require(path.posix.join(module, name, version, object.kind))[object.kind];
      if (model) return model;
    } catch (error) {
      if (!["MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED"].includes(error.code)) throw error;
    }
  }
  return null;
}

// A validator reads every field that its schema has; a field that it never reads is unknown.
function watch(value, seen) {
  if (value === null || typeof value !== "object") return value;
  if (!seen.has(value)) {
    const read = new Set();
    const proxy = new Proxy(value, {
      get(target, key) {
        read.add(key);
        return watch(target[key], seen);
      },
    });
    seen.set(value, { read, proxy });
  }
  return seen.get(value).proxy;
}

function findUnread(value, seen, at) {
  if (value === null || typeof value !== "object" || !seen.has(value)) return;
  for (const key of Object.keys(value)) {
    if (!seen.get(value).read.has(key)) complain(`unknown field ${at}${key}`);
    else findUnread(value[key], seen, `${at}${key}.`);
  }
}

function leaves(value, at = "") {
  if (Array.isArray(value)) return value.flatMap((element) => leaves(element, at));
  if (value === null || typeof value !== "object") return [at];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, at ? `${at}.${key}` : key));
}

function checkSchema(object) {
  if (/\.openshift\.io\//.test(object.apiVersion) && openshift[object.kind]) {
    for (const leaf of leaves({ spec: object.spec }))
      if (!openshift[object.kind].includes(leaf)) complain(`unknown field ${leaf}`);
    return;
  }
  if (object.apiVersion === "security.openshift.io/v1" && object.kind === "SecurityContextConstraints") {
    const { apiVersion, kind, metadata, ...rest } = object;
    for (const leaf of leaves(rest)) if (!constraints.includes(leaf)) complain(`unknown field ${leaf}`);
    return;
  }
  if (replaced[object.apiVersion]) object = { ...object, apiVersion: replaced[object.apiVersion] };
  const Model = findModel(object);
  if (!Model) {
    complain(`no schema is known for ${object.apiVersion} ${object.kind}`);
    return;
  }
  const seen = new Map();
  const model = new Model(object);
  try {
    model.validate.call(watch(Object.setPrototypeOf({ ...object }, Model.prototype), seen));
  } catch (error) {
    complain(`schema: ${error.message.replace(/\s+/g, " ")}`);
    return;
  }
  const [top] = [...seen.keys()];
  findUnread(top, seen, "");
}

// ---- rules

const selectable = ["app.kubernetes.io/name", "app.kubernetes.io/instance", "deployment"];

function matches(selector, labels) {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

// Kubernetes gives capabilities to user 0 only.
function checkCapable(at, context) {
  if (context.runAsUser !== 0 || context.runAsNonRoot !== false) complain(`${at}: app.source client needs user 0`);
  if (`${context.capabilities?.add}` !== "NET_ADMIN") complain(`${at}: app.source client needs NET_ADMIN alone`);
}

function checkUnprivileged(at, context) {
  if (!context.runAsNonRoot) complain(`${at}: runAsNonRoot is missing`);
  if ("runAsUser" in context || "runAsGroup" in context) complain(`${at}: runAsUser is the namespace's to choose`);
  if (context.capabilities?.add) complain(`${at}: adds capabilities`);
}

function isTransparent(container) {
  return (container.env || []).some((e) => e.name === "HEADLESSD_APP_SOURCE" && e.value === "client");
}

function checkContainer(container, isHostNetwork) {
  const at = `container ${container.name}`;
  const context = container.securityContext || {};
  if (context.allowPrivilegeEscalation !== false) complain(`${at}: restricted-v2 wants allowPrivilegeEscalation false`);
  if (!context.readOnlyRootFilesystem) complain(`${at}: the root file system is not read-only`);
  (isTransparent(container) ? checkCapable : checkUnprivileged)(at, context);
  if (!(context.capabilities?.drop || []).includes("ALL")) complain(`${at}: does not drop ALL capabilities`);
  if (context.seccompProfile?.type !== "RuntimeDefault") complain(`${at}: seccompProfile is not RuntimeDefault`);
  if (!container.resources?.requests?.cpu || !container.resources?.requests?.memory) complain(`${at}: requests nothing`);
  if (!container.resources?.limits?.memory) complain(`${at}: memory has no limit`);
  for (const port of container.ports || []) {
    if (!port.protocol) complain(`${at}: port ${port.containerPort} does not say its protocol`);
    if (port.containerPort < 1024) complain(`${at}: port ${port.containerPort} needs a privilege`);
    if (port.hostPort && !isHostNetwork) complain(`${at}: a hostPort`);
  }
  for (const mount of container.volumeMounts || [])
    if (mount.subPath) complain(`${at}: ${mount.mountPath} by subPath would never change`);
}

function checkProbes(container) {
  for (const [kind, page] of [["readinessProbe", "/readyz"], ["livenessProbe", "/livez"]]) {
    const get = container[kind]?.httpGet;
    if (!get) complain(`container ${container.name}: ${kind} is not by HTTP`);
    else if (get.path !== page) complain(`container ${container.name}: ${kind} asks ${get.path}, not ${page}`);
    else if (!findPort(container, get.port)) complain(`container ${container.name}: ${kind} asks port ${get.port}, which it has not`);
  }
}

function findPort(container, port) {
  return (container.ports || []).find((p) => p.name === port || p.containerPort === port);
}

// drain.time is 5 s by default, plus 2 s for the last replies.
const graceMin = 8;

function checkPods(workload, all) {
  const { template, selector, replicas, serviceName } = workload.spec;
  const spec = template.spec;
  const names = (kind) => all.filter((o) => o.kind === kind).map((o) => o.metadata.name);
  if (!matches(selector.matchLabels, template.metadata.labels)) complain("its selector does not match its own pods");
  for (const key of Object.keys(selector.matchLabels))
    if (!selectable.includes(key)) complain(`it selects by ${key}, which changes`);
  if (!(replicas >= 3)) complain(`${replicas} replicas: a majority that survives a pod takes three`);
  if (spec.automountServiceAccountToken !== false) complain("it mounts a token of the API into every container");
  if (!(spec.terminationGracePeriodSeconds >= graceMin)) complain("terminationGracePeriodSeconds is less than drain.time takes");
  if (!spec.securityContext?.runAsNonRoot) complain("runAsNonRoot is missing");
  for (const key of ["runAsUser", "runAsGroup", "fsGroup"])
    if (key in (spec.securityContext || {})) complain(`${key} is the namespace's to choose`);
  if (serviceName && !names("Service").includes(serviceName)) complain(`there is no Service ${serviceName}`);
  if (spec.serviceAccountName && !names("ServiceAccount").includes(spec.serviceAccountName))
    complain(`there is no ServiceAccount ${spec.serviceAccountName}`);
  for (const volume of spec.volumes || []) {
    if (volume.configMap && !names("ConfigMap").includes(volume.configMap.name))
      complain(`there is no ConfigMap ${volume.configMap.name}`);
    if (volume.secret && !volume.secret.optional) complain(`the Secret ${volume.secret.secretName} is not optional`);
  }
  spec.containers.forEach((container) => checkContainer(container, spec.hostNetwork));
  checkProbes(spec.containers[0]);
}

// What discovery.kubernetes needs: the Service, files of the service account, a rule, and a way to the API server.
const accountFiles = "/var/run/secrets/kubernetes.io/serviceaccount";
const slicesVerbs = ["list", "watch"];

function findRules(account, all) {
  const bindings = all.filter((o) => o.kind === "RoleBinding" && o.subjects.some((s) => s.kind === "ServiceAccount" && s.name === account));
  return all.filter((o) => o.kind === "Role" && bindings.some((b) => b.roleRef.name === o.metadata.name)).flatMap((o) => o.rules);
}

function filesOf(volume) {
  return (volume?.projected?.sources || []).flatMap((source) =>
    source.serviceAccountToken ? [source.serviceAccountToken.path] : (source.configMap || source.downwardAPI).items.map((item) => item.path));
}

function checkSlices(workload, all) {
  const { spec, metadata } = workload.spec.template;
  const [container] = spec.containers;
  const name = container.env.find((e) => e.name === "HEADLESSD_DISCOVERY_KUBERNETES")?.value;
  if (!name) return;
  const mount = (container.volumeMounts || []).find((m) => m.mountPath === accountFiles);
  const rules = findRules(spec.serviceAccountName, all).filter((r) => r.resources.includes("endpointslices"));
  const egress = all.filter((o) => o.kind === "NetworkPolicy" && matches(o.spec.podSelector.matchLabels || {}, metadata.labels))
    .flatMap((o) => o.spec.egress || []).flatMap((rule) => rule.ports || []).map((p) => `${p.port}/${p.protocol}`);
  if (!all.some((o) => o.kind === "Service" && o.metadata.name === name)) complain(`discovery.kubernetes: there is no Service ${name}`);
  if (filesOf(spec.volumes.find((v) => v.name === mount?.name)).sort().join() !== "ca.crt,namespace,token")
    complain(`discovery.kubernetes: token, ca.crt and namespace are not in ${accountFiles}`);
  for (const verb of slicesVerbs)
    if (!rules.some((r) => r.verbs.includes(verb))) complain(`discovery.kubernetes: ${spec.serviceAccountName} may not ${verb} endpointslices`);
  for (const rule of rules) for (const verb of rule.verbs) if (!slicesVerbs.includes(verb)) complain(`${verb} of endpointslices is not needed`);
  for (const port of ["443/TCP", "6443/TCP"]) if (!egress.includes(port)) complain(`discovery.kubernetes: no egress to ${port}`);
}

// What election lease needs, besides checkSlices: the Lease, and two rules. create cannot be limited to a name.
const leaseVerbs = ["get", "list", "update", "watch"];

function checkLease(workload, all) {
  const { spec } = workload.spec.template;
  const setting = (name) => spec.containers[0].env.find((e) => e.name === name)?.value;
  if (setting("HEADLESSD_ELECTION") !== "lease") return;
  const name = setting("HEADLESSD_LEASE_NAME") || "headlessd";
  const rules = findRules(spec.serviceAccountName, all).filter((r) => r.resources.includes("leases"));
  const own = rules.filter((r) => r.resourceNames?.join() === name).flatMap((r) => r.verbs);
  const any = rules.filter((r) => !r.resourceNames).flatMap((r) => r.verbs);
  if (!all.some((o) => o.kind === "Lease" && o.metadata.name === name)) complain(`lease.name: there is no Lease ${name}`);
  if (own.sort().join() !== leaseVerbs.join()) complain(`${spec.serviceAccountName} may ${own} Lease ${name}, not ${leaseVerbs}`);
  if (any.join() !== "create") complain(`${spec.serviceAccountName} may ${any} all leases, not only create`);
  if (!setting("HEADLESSD_DISCOVERY_KUBERNETES")) complain("election lease without discovery.kubernetes, whose token and egress it needs");
}

function checkService(service, pods, all) {
  // The label of the pod that leads, which headlessd writes, is not in the template.
  const { "headlessd.io/role": role, ...selector } = service.spec.selector || {};
  const { ports, type, clusterIP, externalTrafficPolicy } = service.spec;
  const chosen = pods.filter((pod) => matches(selector || {}, pod.metadata.labels));
  if (!service.spec.selector || chosen.length === 0) complain("it selects no pod of these");
  for (const port of ports) {
    if (!port.protocol) complain(`port ${port.port} does not say its protocol: TCP would be meant`);
    for (const pod of chosen) {
      const target = pod.spec.containers.map((c) => findPort(c, port.targetPort)).find(Boolean);
      // oc new-app adds the ports that the image exposes.
      const isExposed = port.targetPort === 12000 && all.some((o) => o.kind === "Deployment");
      if (!target && !isExposed) complain(`port ${port.port}: no container has ${port.targetPort}`);
      else if (target && target.protocol !== port.protocol) complain(`port ${port.port} is ${port.protocol}, the container's ${target.protocol}`);
    }
  }
  if (["NodePort", "LoadBalancer"].includes(type) && externalTrafficPolicy !== "Local")
    complain("externalTrafficPolicy is not Local: the client's address would be lost");
  if (clusterIP === "None" && type && type !== "ClusterIP") complain("headless and a NodePort are two Services");
}

function checkSelectors(object, pods, all) {
  const selector = object.spec.podSelector || object.spec.selector;
  const targets =
    object.kind === "ServiceMonitor" ? all.filter((o) => o.kind === "Service").map((o) => o.metadata) : pods.map((p) => p.metadata);
  if (!targets.some((t) => matches(selector.matchLabels || {}, t.labels || {}))) complain("it selects nothing of these");
}

// A truncated reply is asked for again by TCP; of the truncated one glibc uses nothing.
function checkDns(policy) {
  for (const rule of policy.spec.egress || [])
    for (const { port } of (rule.ports || []).filter((p) => [53, 5353].includes(p.port)))
      for (const protocol of ["UDP", "TCP"])
        if (!rule.ports.some((p) => p.port === port && p.protocol === protocol)) complain(`DNS: port ${port} is not open by ${protocol}`);
}

function checkMonitor(monitor, all) {
  for (const service of all.filter((o) => o.kind === "Service" && matches(monitor.spec.selector.matchLabels, o.metadata.labels || {})))
    for (const endpoint of monitor.spec.endpoints)
      if (!service.spec.ports.some((p) => p.name === endpoint.port)) complain(`Service ${service.metadata.name} has no port ${endpoint.port}`);
}

function checkRules(object, all) {
  const pods = all.filter((o) => o.spec?.template).map((o) => o.spec.template);
  switch (object.kind) {
    case "StatefulSet":
    case "Deployment":
      checkSlices(object, all);
      checkLease(object, all);
      return checkPods(object, all);
    case "Service":
      return checkService(object, pods, all);
    case "NetworkPolicy":
      checkSelectors(object, pods, all);
      return checkDns(object);
    case "PodDisruptionBudget":
      return checkSelectors(object, pods, all);
    case "ServiceMonitor":
      checkSelectors(object, pods, all);
      return checkMonitor(object, all);
    case "Secret":
      return complain("a Secret does not belong into a repository");
  }
}

// ---- files

let count = 0;
for (const file of process.argv.slice(2)) {
  const all = yaml.parseAllDocuments(fs.readFileSync(file, "utf8"), { uniqueKeys: true }).map((document) => {
    where = file;
    document.errors.forEach((error) => complain(error.message));
    return document.toJS();
  });
  for (const object of all.filter(Boolean)) {
    where = `${path.basename(file)}: ${object.kind} ${object.metadata?.name}`;
    checkSchema(object);
    checkRules(object, all);
    count++;
  }
}
problems.forEach((problem) => console.log(problem));
console.log(`${count} objects`);
process.exitCode = problems.length || count === 0 ? 1 : 0;
