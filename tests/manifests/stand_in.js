/*
 * Stands in for kubectl, oc, kustomize, podman and nc, so that the guides can be followed without a cluster.
 *
 *   node stand_in.js TOOL ARGUMENT...
 *
 * It knows what was created so far ($GUIDE_STATE, JSON) and whether what a command names is among it: objects, pods,
 * namespaces, images, files. "apply -k" renders with the real kubectl ($GUIDE_KUBECTL). What is executed in a pod is
 * executed here, with the programs of the build ($GUIDE_BUILD): it may find nobody, but not be a wrong command. What
 * pods log is in $GUIDE_LOG. Words in capitals are for the reader to replace. Exit status 1, with a line, where something
 * does not fit.
 */
"use strict";
const fs = require("fs");
const path = require("path");
const child = require("child_process");
const yaml = require("yaml");

const stateFile = process.env.GUIDE_STATE;
const state = fs.existsSync(stateFile)
  ? JSON.parse(fs.readFileSync(stateFile, "utf8"))
  : { namespaces: [], objects: [], images: [], secrets: [] };
const tool = process.argv[2];
const line = `${tool} ${process.argv.slice(3).join(" ")}`;

function refuse(text) {
  console.error(`${line}: ${text}`);
  process.exit(1);
}

function isPlaceholder(word) {
  return /^[A-Z]+$/.test(word);
}

function save() {
  fs.writeFileSync(stateFile, JSON.stringify(state));
}

// ---- what is there

const kinds = {
  statefulset: "StatefulSet", deployment: "Deployment", service: "Service", configmap: "ConfigMap",
  buildconfig: "BuildConfig", imagestream: "ImageStream", networkpolicy: "NetworkPolicy",
};

function find(kind, name) {
  const of = state.objects.filter((o) => o.kind === kind);
  return (
    of.find((o) => o.metadata.name === name) ||
    refuse(`there is no ${kind} ${name}, but ${of.map((o) => o.metadata.name).join(", ") || "none at all"}`)
  );
}

// findByPath "statefulset/headlessd", or two words.
function findByPath(words) {
  const [kind, name] = words[0]?.includes("/") ? words[0].split("/") : words;
  if (!kinds[kind]) refuse(`unknown kind ${kind}`);
  return find(kinds[kind], name);
}

// Of a StatefulSet: those of a Deployment have names that nobody knows.
function findPod(name) {
  const set = state.objects.find(
    (o) => o.kind === "StatefulSet" && name?.replace(/-\d+$/, "") === o.metadata.name && /-\d+$/.test(name)
  );
  if (!set) refuse(`no StatefulSet has a pod ${name}`);
  if (Number(name.match(/\d+$/)[0]) >= set.spec.replicas) refuse(`${set.metadata.name} has ${set.spec.replicas} pods`);
  return set;
}

function matches(selector, labels) {
  return Object.entries(selector || {}).every(([key, value]) => labels?.[key] === value);
}

function checkSelector(text) {
  const selector = Object.fromEntries(text.split(",").map((pair) => pair.split("=")));
  if (!state.objects.some((o) => o.spec?.template && matches(selector, o.spec.template.metadata.labels)))
    refuse(`no pod has the labels ${text}`);
}

// May a pod of this workload send there? Services of the same pods only.
function checkEgress(workload, service, port, protocol) {
  const labels = workload.spec.template.metadata.labels;
  const policies = state.objects.filter(
    (o) => o.kind === "NetworkPolicy" && o.spec.policyTypes.includes("Egress") && matches(o.spec.podSelector.matchLabels, labels)
  );
  if (!matches(service.spec.selector, labels)) refuse(`${service.metadata.name} is a Service of other pods`);
  const passes = policies.some((p) =>
    p.spec.egress.some(
      (rule) =>
        rule.ports.some((at) => at.port === port && at.protocol === protocol) &&
        (!rule.to || rule.to.some((to) => to.podSelector && matches(to.podSelector.matchLabels, labels)))
    )
  );
  if (policies.length && !passes) refuse(`no NetworkPolicy lets ${port}/${protocol} out of the pod, to ${service.metadata.name}`);
}

// ---- options

// parse WORDS: {words, options: {name: value}}; of a name that takes a value, "--name=value" or "--name value".
function parse(args, valued) {
  const words = [];
  const options = {};
  let rest = [];
  for (let i = 0; i < args.length; i++) {
    const [name, value] = args[i].split(/=(.*)/s);
    if (args[i] === "--") {
      rest = args.slice(i + 1);
      break;
    } else if (!args[i].startsWith("-")) words.push(args[i]);
    else if (value !== undefined) options[name] = value;
    else options[name] = valued.includes(name) ? args[++i] : true;
  }
  return { words, options, rest };
}

// The Dockerfile is there, and takes these arguments.
function buildsFrom(directory, args) {
  const file = path.join(directory, "Dockerfile");
  if (!fs.existsSync(file)) refuse("there is no Dockerfile");
  const text = fs.readFileSync(file, "utf8");
  args.forEach((word, i) => {
    const name = word === "--build-arg" && args[i + 1].split("=")[0];
    if (name && !new RegExp(`^ARG ${name}(=|$)`, "m").test(text)) refuse(`the Dockerfile has no ARG ${name}`);
  });
}

// ---- in a pod

const data = 12000;

function execute(workload, words) {
  const [program, ...args] = words;
  const programs = { headlessctl: "headlessctl", "headless-bench": "bench/headless-bench", headlessd: "headlessd" };
  if (!programs[program]) refuse(`the image has no ${program}`);
  const found = child.spawnSync(path.join(process.env.GUIDE_BUILD, programs[program]), args, { timeout: 3000, encoding: "utf8" });
  if (found.error && found.error.code !== "ETIMEDOUT") refuse(`${program}: ${found.error.message}`);
  if (found.status === 2) refuse(found.stderr.trim());
  for (let i = 0; i < args.length - 1; i++) {
    if (args[i] === "--service") checkServicePort(workload, args[i + 1], data);
    if (args[i] === "--to") checkServicePort(workload, ...args[i + 1].split(":"));
    if (args[i] === "set" && args[i - 1] === "leader" && !isPlaceholder(args[i + 1])) findPod(args[i + 1]);
  }
}

// A headless Service has the addresses of its pods, and these all of their ports.
function checkServicePort(workload, name, port) {
  const service = find("Service", name);
  const pods = state.objects.filter((o) => o.spec?.template && matches(service.spec.selector, o.spec.template.metadata.labels));
  const ports = pods.flatMap((o) => o.spec.template.spec.containers).flatMap((c) => c.ports || []);
  if (service.spec.clusterIP !== "None" && !service.spec.ports.some((p) => p.port === Number(port))) refuse(`${name} has no port ${port}`);
  if (!ports.some((p) => p.containerPort === Number(port))) refuse(`no pod behind ${name} has a port ${port}`);
  if (workload) checkEgress(workload, service, Number(port), "UDP");
}

// ---- kubectl and oc

const verbs = {
  apply({ options }) {
    if (!options["-k"]) refuse("only -k");
    const rendered = child.spawnSync(process.env.GUIDE_KUBECTL, ["kustomize", options["-k"]], { encoding: "utf8" });
    if (rendered.status !== 0) refuse(rendered.stderr.trim());
    for (const object of yaml.parseAllDocuments(rendered.stdout).map((d) => d.toJS())) {
      const same = (o) => o.kind === object.kind && o.metadata.name === object.metadata.name;
      const before = state.objects.find(same);
      if (object.kind === "Deployment" && before?.isNewApp) object.isNewApp = true; // is merged into it
      state.objects = state.objects.filter((o) => !same(o)).concat(object);
    }
    save();
  },

  create({ words: [what, ...words], options }) {
    if (what === "namespace") {
      state.namespaces.push(words[0]);
    } else if (what === "secret") {
      const file = (options["--from-file"] || "").split("=").pop();
      if (!file || !fs.existsSync(file)) refuse(`there is no file ${file}`);
      state.secrets.push(words[1]);
      if (!options["--type"] && !mountsSecret(words[1])) refuse(`no pod mounts a Secret ${words[1]}`);
    } else refuse(`what is ${what}?`);
    save();
  },

  "new-project"({ words }) {
    state.namespaces.push(words[0]);
    save();
  },

  // As oc does: an image stream, a build, a Deployment and a Service for what the Dockerfile exposes.
  "new-app"({ options }) {
    const name = options["--name"];
    const exposed = fs.readFileSync("Dockerfile", "utf8").match(/^EXPOSE (\d+)\/udp$/m);
    if (options["--strategy"] !== "docker" || !exposed) refuse("needs --strategy=docker, and a Dockerfile that exposes a port");
    if (options["--source-secret"] && !state.secrets.includes(options["--source-secret"])) refuse("the source secret is not there");
    const port = { containerPort: Number(exposed[1]), protocol: "UDP" };
    const template = { metadata: { labels: { deployment: name } }, spec: { containers: [{ name, ports: [port] }] } };
    for (const kind of ["ImageStream", "BuildConfig", "Deployment", "Service"])
      state.objects.push({ kind, metadata: { name }, spec: kind === "Deployment" ? { template } : { ports: [] }, isNewApp: true });
    save();
  },

  "start-build"({ words }) {
    find("ImageStream", find("BuildConfig", words[0]).spec.output.to.name.split(":")[0]);
  },

  rollout({ words }) {
    const workload = findByPath(words.slice(1));
    if (!["status", "undo", "restart"].includes(words[0])) refuse(`what is ${words[0]}?`);
    if (workload.kind === "Deployment" && !workload.isNewApp) refuse("its containers have no image yet: new-app comes first");
  },

  logs({ words, options }) {
    if (options["-l"]) checkSelector(options["-l"]);
    else if (words[0].includes("/")) findByPath(words);
    else if (!isPlaceholder(words[0])) findPod(words[0]);
    console.log(process.env.GUIDE_LOG);
  },

  get({ words, options }) {
    if (words[0] === "pod") {
      findPod(words[1]);
      if (options["-o"]) console.log("127.0.0.1"); // its address
    } else findByPath(words);
  },

  exec({ words, rest }) {
    execute(findPod(isPlaceholder(words[0]) ? "headlessd-0" : words[0]), rest);
  },

  run({ options, rest }) {
    if (!state.images.includes(options["--image"])) refuse(`nobody pushed ${options["--image"]}`);
    if (!options["--command"] || rest.length === 0) refuse("without --command it is headlessd's arguments");
    execute(null, rest);
  },

  set({ words: [what, workload, ...images] }) {
    const containers = findByPath([workload]).spec.template.spec.containers.map((c) => c.name);
    for (const image of images)
      if (what !== "image" || !containers.includes(image.split("=")[0])) refuse(`there is no container ${image.split("=")[0]}`);
  },

  delete({ words }) {
    if (words[0] !== "pod") refuse("only pods");
    if (words.length > 1) findPod(words[1]); // in the text it may be any
  },

  describe({ words }) {
    if (words[0] !== "pod" || !(isPlaceholder(words[1]) || findPod(words[1]))) refuse("only pods");
  },

  drain({ options }) {
    if (options["--pod-selector"]) checkSelector(options["--pod-selector"]);
  },

  annotate({ words: [what, name, annotation] }) {
    if (what !== "namespace" || !/^[a-z0-9.]+\/[a-z-]+=\w+$/.test(annotation)) refuse("what is annotated?");
    checkNamespace(name);
  },
};

function mountsSecret(name) {
  return state.objects.some((o) => o.spec?.template?.spec.volumes?.some((v) => v.secret?.secretName === name));
}

function checkNamespace(name) {
  if (!state.namespaces.includes(name)) refuse(`there is no namespace ${name}`);
}

const clusterValued = ["-n", "-k", "-l", "-o", "--image", "--from-file", "--type", "--since", "--grace-period", "--pod-selector"];

function cluster(args) {
  const all = parse(args, clusterValued);
  const [verb, ...words] = all.words;
  if (all.options["-n"]) checkNamespace(all.options["-n"]);
  if (!Object.hasOwn(verbs, verb)) refuse(`what is ${verb}?`);
  verbs[verb]({ ...all, words });
}

// ---- the other tools

const tools = {
  kubectl: cluster,
  oc: cluster,

  kustomize(args) {
    const file = "kustomization.yaml";
    const [name, image] = (args[3] || "").split("=");
    if (args.slice(0, 3).join(" ") !== "edit set image" || !image) refuse("only edit set image NAME=IMAGE");
    const content = yaml.parse(fs.readFileSync(file, "utf8"));
    const entry = content.images?.find((i) => i.name === name) || refuse(`${file} has no image ${name}`);
    [, entry.newName, entry.newTag] = image.match(/^(.*):([^:/]+)$/) || refuse("the image has no tag");
    if (!state.images.includes(image)) refuse(`nobody pushed ${image}`);
    fs.writeFileSync(file, yaml.stringify(content));
  },

  podman(args) {
    const { words, options } = parse(args, ["-t", "--build-arg"]);
    const image = words[0] === "push" ? words[1] : options["-t"];
    if (words[0] === "build") {
      buildsFrom(words[1], args);
      state.built = image;
    } else if (words[0] !== "push" || state.built !== image) refuse(`${image} is not built`);
    else state.images.push(image);
    save();
  },

  // What is sent to the data port: if it is for headlessd, it names a pod.
  nc(args) {
    const { words, options } = parse(args, []);
    const text = fs.readFileSync(0, "utf8").trim();
    if (!options["-u"] || words.length !== 2) refuse("not by UDP, or no HOST PORT");
    if (text.startsWith("{")) findPod(JSON.parse(text).leader);
  },
};

tools[tool](process.argv.slice(3));
