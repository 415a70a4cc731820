/*
 * Checks that rendered instances can live in one namespace.
 *
 *   node instances.js FILE.yaml FILE.yaml...      one file for each instance
 *
 * No two have an object of one kind and name; no selector of one chooses a pod or a Service of another; each finds its
 * own pods by the name of its own headless Service. Prints each problem on a line.
 */
"use strict";
const fs = require("fs");
const path = require("path");
const yaml = require("yaml");

const instances = process.argv.slice(2).map((file) => ({
  name: path.basename(file),
  objects: yaml.parseAllDocuments(fs.readFileSync(file, "utf8")).map((d) => d.toJS()).filter(Boolean),
}));
const problems = [];

function matches(selector, labels = {}) {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

// Every matchLabels in an object, wherever it is, and the selector of a Service.
function selectors(value, found = []) {
  if (value === null || typeof value !== "object") return found;
  for (const [key, child] of Object.entries(value)) {
    if (key === "matchLabels") found.push(child);
    else selectors(child, found);
  }
  return found;
}

function selectorsOf(object) {
  return [...selectors(object.spec), ...(object.kind === "Service" ? [object.spec.selector] : [])];
}

function podLabels(instance) {
  return instance.objects.filter((o) => o.spec?.template).map((o) => o.spec.template.metadata.labels);
}

function checkPair(a, b) {
  for (const one of a.objects) {
    const called = `${one.kind} ${one.metadata.name}`;
    if (b.objects.some((o) => o.kind === one.kind && o.metadata.name === one.metadata.name))
      problems.push(`${called} is in ${a.name} and ${b.name}`);
    const chosen = [...podLabels(b), ...b.objects.filter((o) => o.kind === "Service").map((o) => o.metadata.labels)];
    for (const selector of selectorsOf(one))
      if (chosen.some((labels) => matches(selector, labels))) problems.push(`${called} of ${a.name} selects what is in ${b.name}`);
  }
}

function checkOwn(instance) {
  for (const workload of instance.objects.filter((o) => o.kind === "StatefulSet")) {
    const called = `${instance.name}: StatefulSet ${workload.metadata.name}`;
    const { template, volumes = template.spec.volumes } = workload.spec;
    const dns = template.spec.containers[0].env.find((e) => e.name === "HEADLESSD_DISCOVERY_DNS")?.value;
    const service = instance.objects.find((o) => o.kind === "Service" && o.metadata.name === dns);
    if (!service) problems.push(`${called}: discovery.dns is ${dns}, which is no Service of its own`);
    else if (service.spec.clusterIP !== "None") problems.push(`${called}: ${dns} is not headless`);
    else if (!matches(service.spec.selector, template.metadata.labels)) problems.push(`${called}: ${dns} does not select its pods`);
    const slices = template.spec.containers[0].env.find((e) => e.name === "HEADLESSD_DISCOVERY_KUBERNETES")?.value;
    if (slices && slices !== dns) problems.push(`${called}: discovery.kubernetes is ${slices}, discovery.dns ${dns}`);
    const account = template.spec.serviceAccountName;
    const bindings = instance.objects.filter((o) => o.kind === "RoleBinding");
    if (slices && !bindings.length) problems.push(`${called}: no RoleBinding`);
    for (const binding of bindings) {
      if (binding.subjects[0].name !== account) problems.push(`${called}: ${binding.metadata.name} is not for ${account}`);
      if (!instance.objects.some((o) => o.kind === "Role" && o.metadata.name === binding.roleRef.name))
        problems.push(`${called}: there is no Role ${binding.roleRef.name}`);
    }
    const lease = template.spec.containers[0].env.find((e) => e.name === "HEADLESSD_LEASE_NAME")?.value;
    const rules = instance.objects.filter((o) => o.kind === "Role").flatMap((o) => o.rules);
    if (lease && !instance.objects.some((o) => o.kind === "Lease" && o.metadata.name === lease))
      problems.push(`${called}: lease.name is ${lease}, which is no Lease of its own`);
    if (lease && !rules.some((r) => r.resourceNames?.join() === lease)) problems.push(`${called}: no rule is limited to Lease ${lease}`);
    const secrets = instance.objects.filter((o) => o.kind === "Secret").map((o) => o.metadata.name);
    const mounted = volumes.filter((v) => v.secret).map((v) => v.secret.secretName);
    if (secrets.length && !secrets.every((name) => mounted.includes(name)))
      problems.push(`${called}: mounts ${mounted}, the Secret of the overlay is ${secrets}`);
  }
}

instances.forEach(checkOwn);
for (const a of instances) for (const b of instances) if (a !== b) checkPair(a, b);
problems.forEach((problem) => console.log(problem));
if (instances.length < 2) console.log("two files are needed");
process.exitCode = problems.length || instances.length < 2 ? 1 : 0;
