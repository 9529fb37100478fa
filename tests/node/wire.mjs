// node wire.mjs SCENARIO PORT: one scenario of a client that others wrote, the package `ws`, against a host. What it
// needs of the world, packets and so on, it asks for on standard output, a line of JSON each, and reads the answer from
// standard input.
import assert from "node:assert/strict";
import readline from "node:readline";
import WebSocket from "ws";

const [scenario, port] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const TOKEN = "correct-horse";

async function ask(what, parameters = {}) {
  process.stdout.write(`${JSON.stringify({ what, ...parameters })}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error("nobody answers");
  return JSON.parse(value);
}

function within(promise, what, seconds = 20) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in ${seconds} s: ${what}`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A client whose frames can be waited for, one after the other.
class Client {
  constructor(path = "/ws_events_all", options = {}) {
    this.frames = [];
    this.pings = [];
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, ...options });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("error", reject);
    });
    this.opened.catch(() => {});
    this.upgraded = new Promise((resolve) => this.socket.on("upgrade", resolve));
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.wake?.();
      });
    });
    this.socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      this.frames.push({ text: data.toString(), at_ms: performance.timeOrigin + performance.now() });
      this.wake?.();
    });
    this.socket.on("ping", (data) => this.pings.push(data.toString()));
  }

  static async open(path, options) {
    const client = new Client(path, options);
    await within(client.opened, "a connection");
    return client;
  }

  // One that has told what it wants, and has the answer: events from now on are its own.
  static async ready(wishes = {}) {
    const client = await Client.open();
    client.tell({ answer: true, ...wishes });
    assert.equal((await client.frame()).Type, "nfbus:answer");
    return client;
  }

  tell(wishes) {
    this.socket.send(JSON.stringify(wishes));
  }

  async next() {
    const arrives = async () => {
      while (this.frames.length === 0) {
        if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed");
        await new Promise((resolve) => { this.wake = resolve; });
      }
    };
    await within(arrives(), "a frame");
    return this.frames.shift();
  }

  async text() { return (await this.next()).text; }
  async frame() { return JSON.parse(await this.text()); }

  async port() {
    const { Type, Data } = await this.frame();
    assert.equal(Type, "nft:drop:out");
    return JSON.parse(Data).UDP.SrcPort;
  }

  async ports(count) {
    const out = [];
    while (out.length < count) out.push(await this.port());
    return out;
  }

  // The first frame of a page with this member.
  async member(name) {
    for (;;) {
      const frame = await this.frame();
      if (name in frame) return frame[name];
    }
  }

  async code(what) { return (await within(this.closed, what)).code; }

  close() { this.socket.terminate(); }
}

const range = (begin, end) => Array.from({ length: end - begin }, (_, i) => begin + i);
const packets = (ports, more = {}) => ask("packets", { ports, ...more });

const scenarios = {
  async tokens() {
    const first = await Client.open();
    first.socket.send(TOKEN);
    assert.equal(await first.text(), "success");
    const bearer = await Client.open("/ws_events_all", { headers: { Authorization: `Bearer ${TOKEN}` } });
    bearer.tell({ answer: true });
    assert.equal((await bearer.frame()).Type, "nfbus:answer");
    await packets([1001]);
    assert.equal(await first.port(), 1001);
    assert.equal(await bearer.port(), 1001);
    const wrong = await Client.open();
    wrong.socket.send("nobody's");
    assert.equal(await wrong.text(), "Authentication failure");
    assert.deepEqual(await within(wrong.closed, "an end"), { code: 1008, reason: "Authentication failure" });
    const page = await Client.open("/ws/page", { headers: { Authorization: `Bearer ${TOKEN}` } });
    page.tell({ match: "", serial: 1 });
    assert.deepEqual(await page.member("filter"), { ok: true, serial: 1 });
  },

  async matches() {
    const all = await Client.ready();
    const one = await Client.ready({ match: { sport: 1002 } });
    const words = await Client.ready({ match: "sport=1003-1004" });
    await packets(range(1001, 1006));
    assert.deepEqual(await all.ports(5), [1001, 1002, 1003, 1004, 1005]);
    assert.equal(await one.port(), 1002);
    assert.deepEqual(await words.ports(2), [1003, 1004]);
    one.tell({ match: "sport=" });
    assert.equal((await one.frame()).Type, "nfbus:error");
    one.tell({ match: {}, answer: true });
    assert.equal((await one.frame()).Type, "nfbus:answer");
    await packets([1006]);
    assert.equal(await one.port(), 1006);
  },

  // Pings of the client come back while much is sent; the server's come when nothing else does.
  async pings() {
    const client = await Client.ready();
    const pongs = [];
    client.socket.on("pong", (data) => pongs.push(data.toString()));
    const sent = packets(range(1000, 1300));
    const expected = [];
    for (let i = 0; i < 20; ++i) {
      expected.push("x".repeat(i * 6));
      client.socket.ping(expected.at(-1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await sent;
    assert.deepEqual(await client.ports(300), range(1000, 1300));
    const answered = async () => {
      while (pongs.length < expected.length) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await within(answered(), "pongs");
    assert.deepEqual(pongs, expected);
    await within(new Promise((resolve) => client.socket.once("ping", resolve)), "the server's ping", 30);
    await packets([1300]);
    assert.equal(await client.port(), 1300);
  },

  async deflate() {
    const compress = { perMessageDeflate: { threshold: 0 } };
    const page = new Client("/ws/page", compress);
    const { headers } = await within(page.upgraded, "an upgrade");
    await within(page.opened, "a connection");
    const agreed = headers["sec-websocket-extensions"];
    assert.match(agreed, /^permessage-deflate/);
    for (const side of ["server", "client"]) {
      const bits = Number(agreed.match(new RegExp(`${side}_max_window_bits=(\\d+)`))?.[1]);
      assert.ok(bits >= 9 && bits <= 12, `${side}: ${agreed}`);
    }
    for (const serial of range(0, 50)) {
      const long = serial + "x".repeat(1000 * serial);
      page.tell({ match: `sport=${1000 + serial}`, serial: long });
      assert.deepEqual(await page.member("filter"), { ok: true, serial: long });
    }
    page.tell({ match: "", serial: 50 });
    await page.member("filter");
    const sent = range(1000, 1100);
    await packets(sent);
    const got = [];
    while (got.length < sent.length) got.push(...(await page.member("rows")).map((row) => row.sp));
    assert.deepEqual(got, sent);
    // What is small on the wire and large behind it is refused as if it were large.
    page.tell({ serial: "x".repeat(50_000_000) });
    assert.equal(await page.code("the end of a bomb"), 1009);

    const plain = new Client("/ws_events_all", compress);
    assert.equal((await within(plain.upgraded, "an upgrade")).headers["sec-websocket-extensions"], undefined);
    await within(plain.opened, "a connection");
    plain.tell({ answer: true });
    assert.equal((await plain.frame()).Type, "nfbus:answer");
  },

  async fragments() {
    const client = await Client.ready();
    const text = JSON.stringify({ match: { sport: 1002 }, answer: true, serial: "K\u00fc\u20ac\u{1f600}" });
    const bytes = Buffer.from(text);
    // Byte by byte, with frames of control between them.
    for (let i = 0; i < bytes.length; ++i) {
      client.socket.send(bytes.subarray(i, i + 1), { binary: false, fin: i + 1 === bytes.length });
      if (i % 7 === 0) client.socket.ping("between");
    }
    const { Type, Data } = await client.frame();
    assert.equal(Type, "nfbus:answer");
    assert.equal(JSON.parse(Data).serial, "K\u00fc\u20ac\u{1f600}");
    await packets([1001, 1002]);
    assert.equal(await client.port(), 1002);
  },

  async codes() {
    const good = await Client.ready();
    for (const code of [1000, 1001, 4000]) {
      const client = await Client.ready();
      client.socket.close(code, "bye");
      assert.equal(await client.code("the answer to a close"), code);
    }
    const silent = await Client.ready();
    silent.socket.close();
    assert.equal(await silent.code("the answer to a close"), 1000);
    const noObject = await Client.ready();
    noObject.socket.send("hello");
    assert.deepEqual(await within(noObject.closed, "an end"), { code: 1008, reason: "a client sends a JSON object" });
    const largest = await Client.ready();
    largest.tell({ answer: true, serial: "x".repeat(65_536 - 27) });
    assert.equal((await largest.frame()).Type, "nfbus:answer");
    largest.socket.send("x".repeat(65_537));
    assert.equal(await largest.code("the end of one that sends too much"), 1009);
    await packets([1001]);
    assert.equal(await good.port(), 1001);
    await ask("stop");
    assert.deepEqual(await within(good.closed, "a good-bye"), { code: 1001, reason: "nfbus stops" });
  },

  async slow() {
    const slow = await Client.ready();
    slow.socket.pause();
    let sent = 0;
    for (let rounds = 0; rounds < 100 && (await ask("slow_clients")) === 0; ++rounds) {
      await packets(range(2000, 2500));
      sent += 500;
    }
    slow.socket.resume();
    assert.equal(await slow.code("the slow one's end"), 1013);
    const types = slow.frames.map(({ text }) => JSON.parse(text));
    const marker = types.pop();
    assert.equal(marker.Type, "nfbus:dropped");
    const { missed } = JSON.parse(marker.Data);
    assert.deepEqual(types.map(({ Data }) => JSON.parse(Data).UDP.SrcPort),
                     types.map((_, i) => 2000 + (i % 500)));
    assert.ok(missed > 0 && types.length + missed <= sent, `${types.length} + ${missed} of ${sent}`);
    const again = await Client.ready();
    await packets([1001]);
    assert.equal(await again.port(), 1001);
  },

  async crowd() {
    const clients = await Promise.all(range(0, 100).map(() => Client.ready()));
    const sent = range(1000, 1200);
    await packets(sent);
    for (const client of clients) assert.deepEqual(await client.ports(sent.length), sent);
    // All of them end at once.
    for (const client of clients) client.socket.close(1000);
    for (const client of clients) assert.equal(await client.code("the answer to a close"), 1000);
  },

  async chatter() {
    const client = await Client.ready();
    const sent = range(1000, 3000);
    const delivered = packets(sent);
    for (const serial of range(0, 2000)) {
      client.tell({ answer: true, serial });
      if (serial % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await delivered;
    const serials = [];
    const ports = [];
    while (serials.length < 2000 || ports.length < sent.length) {
      const { Type, Data } = await client.frame();
      if (Type === "nfbus:answer") serials.push(JSON.parse(Data).serial);
      else ports.push(JSON.parse(Data).UDP.SrcPort);
    }
    assert.deepEqual(serials, range(0, 2000));
    assert.deepEqual(ports, sent);
  },

  // Small frames at a pace at which Nagle's algorithm would hold some back until the delayed ACK of the one before, up to
  // 40 ms. Linux delays an ACK where the client, too, sends now and then.
  async latency() {
    const client = await Client.ready();
    const delivered = packets(range(1000, 1110), { pause_seconds: 0.015 });
    const took_ms = [];
    for (let i = 0; i < 110; ++i) {
      const { text, at_ms } = await client.next();
      if (i % 4 === 0) client.tell({});
      const { Timestamp } = JSON.parse(JSON.parse(text).Data);
      took_ms.push(at_ms - Date.parse(Timestamp));
    }
    await delivered;
    const sorted = took_ms.slice(10).sort((a, b) => a - b);
    const [median_ms, most_ms] = [sorted[50], sorted[75]];
    console.error(`latency of 100 events: median ${median_ms.toFixed(2)} ms, 75th ${most_ms.toFixed(2)} ms, ` +
                  `largest ${sorted[99].toFixed(2)} ms`);
    assert.ok(most_ms < 8, `75th of 100: ${most_ms} ms`);
  },
};

try {
  await scenarios[scenario]();
} catch (error) {
  console.error(error.stack ?? error);
  process.exitCode = 1;
}
process.exit();
