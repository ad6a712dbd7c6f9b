// Clients in Node, without retries: its http agent with kept connections, or its fetch.
//
// The plan is the first argument, as JSON. Each request that ended is one line of JSON on stdout;
// the end of stdin ends the load. Instants are those of the monotonic clock, in seconds.
import { randomBytes } from "node:crypto";
import http from "node:http";

const plan = JSON.parse(process.argv[2]);
const now = () => Number(process.hrtime.bigint()) / 1e9;
let isOver = false;
let wake = [];
process.stdin.resume();
process.stdin.on("end", () => {
  isOver = true;
  wake.forEach((resolve) => resolve());
});

const pause = (ms) =>
  new Promise((resolve) => {
    if (isOver) return resolve();
    wake.push(resolve);
    setTimeout(resolve, ms);
  });
const between = (low, high) => low + Math.random() * (high - low);

function fateOf(error) {
  const code = error.cause?.code ?? error.code ?? error.name;
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET") return "reset";
  if (code === "TimeoutError" || code === "ABORT_ERR" || code === "AbortError") return "silent";
  return `${code}: ${error.message}`;
}

function askByAgent(agent, name, body) {
  const began = now();
  return new Promise((resolve) => {
    let first = null;
    const done = (what) =>
      resolve({ what, first_byte_s: first, is_kept: request.reusedSocket });
    const request = http.request({
      agent, host: "127.0.0.1", port: plan.port, method: "POST", path: "/echo",
      headers: { "x-request-id": name, "content-length": body.length },
      timeout: plan.patience_ms,
    });
    request.on("timeout", () => request.destroy(new DOMException("late", "TimeoutError")));
    request.on("error", (error) => done(first === null ? fateOf(error) : "cut"));
    request.on("response", (answer) => {
      first = now() - began;
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("aborted", () => done("cut"));
      answer.on("end", () => {
        if (answer.statusCode !== 200) return done(String(answer.statusCode));
        done(Buffer.concat(pieces).equals(body) ? "ok" : "corrupt");
      });
    });
    request.end(body);
  });
}

async function askByFetch(name, body) {
  try {
    const answer = await fetch(`http://127.0.0.1:${plan.port}/echo`, {
      method: "POST", body, headers: { "x-request-id": name },
      signal: AbortSignal.timeout(plan.patience_ms),
    });
    const came = Buffer.from(await answer.arrayBuffer());
    if (answer.status !== 200) return { what: String(answer.status) };
    return { what: came.equals(body) ? "ok" : "corrupt" };
  } catch (error) {
    return { what: fateOf(error) };
  }
}

async function keepAsking(number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await pause(between(0, plan.begin_within_ms));
  for (let count = 0; !isOver; count++) {
    const name = `node-${process.pid}-${number}-${count}`;
    const body = randomBytes(200);
    const began = now();
    const answer =
      plan.kind === "node fetch"
        ? await askByFetch(name, body)
        : await askByAgent(agent, name, body);
    const fate = { name, began_at: began, took_s: now() - began, ...answer };
    process.stdout.write(JSON.stringify(fate) + "\n");
    await pause(between(...plan.gap_ms));
  }
  agent.destroy();
}

await Promise.all(Array.from({ length: plan.clients }, (_, number) => keepAsking(number)));
process.exit(0);
