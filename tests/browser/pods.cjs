// Pods for the browser tests: three real ones on loopback, their replies, and datagrams to them.
"use strict";

const { spawn } = require("node:child_process");
const dgram = require("node:dgram");
const fs = require("node:fs");
const http = require("node:http");

const NAMES = ["a", "b", "c"];
const ADDRESSES = { a: "127.0.90.1", b: "127.0.90.2", c: "127.0.90.3" };
const PEERS = NAMES.map((name) => `${name}=${ADDRESSES[name]}`).join(",");
// Any printable text may be a cluster's name; a pod's name has only letters, digits and few signs.
const CLUSTER = "<script>alert(1)</script><b>";
const LOOK_MS = 20;

const build = process.env.BUILD;
const logs = process.env.LOGS;
const processes = new Map();

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Wait until look() is true; after limit_ms throw an error that names the condition. */
async function waitUntil(what, limit_ms, look) {
    const end = Date.now() + limit_ms;
    while (!(await look())) {
        if (Date.now() > end) throw new Error(`${what}: not within ${limit_ms} ms`);
        await pause(LOOK_MS); // between two polls
    }
}

const url = (name) => `http://${ADDRESSES[name]}:8080/`;

/** The response to GET, as {status, headers, text}; null when there is none. */
function get(name, path) {
    return new Promise((resolve) => {
        const request = http.get(new URL(path, url(name)), { timeout: 2000 }, (reply) => {
            let text = "";
            reply.on("data", (part) => (text += part));
            reply.on("end", () => resolve({ status: reply.statusCode, headers: reply.headers, text }));
        });
        request.on("error", () => resolve(null));
        request.on("timeout", () => request.destroy());
    });
}

async function status(name) {
    const reply = await get(name, "/status");
    return reply && JSON.parse(reply.text);
}

/** The name of the leader according to this pod, or null. */
async function leaderOf(name) {
    const reply = await get(name, "/leader");
    return reply && (JSON.parse(reply.text).leader?.name ?? null);
}

function start(name) {
    const log = fs.openSync(`${logs}/pod-${name}.log`, "a");
    const options = ["--self", ADDRESSES[name], "--peers", PEERS, "--leader", "a", "--cluster", CLUSTER, "--app", "echo"];
    const environment = { PATH: process.env.PATH, HEADLESSD_DRAIN_TIME: "0", HEADLESSD_RCVBUF: "208KiB" };
    const pod = spawn(`${build}/headlessd`, options, { env: environment, stdio: ["ignore", log, log] });
    pod.ended = new Promise((resolve) => pod.on("exit", resolve));
    processes.set(name, pod);
    fs.closeSync(log);
}

async function isSettled(leader) {
    const said = await Promise.all([...processes.keys()].map(status));
    return said.every((s) => s?.leader?.name === leader && s.gauges.election_is_volatile === 0);
}

async function startAll() {
    start("a"); // started first: the configured leader runs before the others start
    await waitUntil("pod a lives", 5000, async () => (await get("a", "/livez"))?.status === 200);
    start("b");
    start("c");
    await waitUntil("all follow a", 15000, () => isSettled("a"));
}

async function kill(name, signal = "SIGKILL") {
    const pod = processes.get(name);
    processes.delete(name);
    pod.kill(signal);
    await pod.ended;
}

async function stopAll() {
    await Promise.all([...processes.keys()].map((name) => kill(name)));
}

/** Datagrams to a pod's data port, each after the reply to the previous one. */
async function ask(name, count, payload = Buffer.alloc(100)) {
    const socket = dgram.createSocket("udp4");
    for (let i = 0; i < count; i++) {
        const reply = new Promise((resolve) => socket.once("message", resolve));
        socket.send(payload, 12000, ADDRESSES[name]);
        await Promise.race([reply, pause(1000).then(() => Promise.reject(new Error(`${name} does not reply`)))]);
    }
    socket.close();
}

/** A datagram without a reply, to any port. */
function throwAt(name, port, payload) {
    return new Promise((resolve) => {
        const socket = dgram.createSocket("udp4");
        socket.send(payload, port, ADDRESSES[name], () => socket.close(resolve));
    });
}

module.exports = { ADDRESSES, CLUSTER, NAMES, ask, get, isSettled, kill, leaderOf, start, startAll, status, stopAll, throwAt, url, waitUntil };
