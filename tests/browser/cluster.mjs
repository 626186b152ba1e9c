// A real Tessera for the tests: Redis, shards and gateways of their own, on free ports of loopback, in a fresh directory. Everything
// that was started is ended by its process id, also when the test process itself ends early.

import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BUILD = resolve(ROOT, process.env.TESSERA_BUILD ?? process.env.BUILD ?? 'build');
const READY_MS = 60000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

// Below what the kernel gives to clients (else a connection of anybody's may take the port between our asking and the program's
// listening, or while the program is restarted), and apart from the ports of the integration tests.
const PORT_FIRST = 26000;
const PORT_LAST = 31999;
/** @type {import('node:net').Server[]} */
const reserved = [];

/** @param {string} host @param {number} port @returns {Promise<import('node:net').Server | null>} null when the port is in use */
function listenAt(host, port) {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', (/** @type {NodeJS.ErrnoException} */ error) => (error.code === 'EADDRINUSE' ? done(null) : failed(error)));
    server.listen({ host, port, exclusive: true }, () => (server.unref(), done(server)));
  });
}

/** A port of 127.0.0.1 that nobody listens on, and that no other run of these tests takes while we live: each holds its ports on another
 * address of loopback, where the programs do not listen. */
async function freePort() {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = randomInt(PORT_FIRST, PORT_LAST + 1);
    const ours = await listenAt('127.84.83.82', port);
    if (!ours) continue;
    const probe = await listenAt('127.0.0.1', port);
    if (probe) {
      await new Promise((closed) => probe.close(closed));
      reserved.push(ours);
      return port;
    }
    ours.close();
  }
  throw new Error('no free port');
}

/** Says commands to Redis and gives back the first that it answers; rejects when it is not there.
 * @param {number} port @param {string[]} commands @returns {Promise<string>} */
function talk(port, commands) {
  return new Promise((done, failed) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => socket.write(commands.map((it) => `${it}\r\n`).join('')));
    socket.on('data', (data) => (socket.end(), done(String(data))));
    socket.on('error', failed);
  });
}

/** @param {number} port */
const answers = (port) => talk(port, ['PING']).then((it) => it.startsWith('+PONG'), () => false);

/** @param {string} url */
const isReady = (url) => fetch(url).then((it) => it.ok, () => false);

/**
 * @typedef {object} Running
 * @property {string} name
 * @property {string[]} command
 * @property {import('node:child_process').ChildProcess} child
 * @property {string} url       of the page, for gateways
 * @property {string} ready     of /readyz
 */

export class Cluster {
  /** @type {Running[]} */
  gateways = [];
  /** @type {Running[]} */
  shards = [];
  dir = '';
  #port = 0;
  /** @type {Running | null} */
  #redis = null;
  #clusterSecret = randomBytes(32).toString('hex');
  #tokenKeys = `k1 ${randomBytes(32).toString('hex')}`;

  /** @param {{ shards?: number, gateways?: number, options?: string[] }} [how] options: of both programs, such as --cooldown=5s */
  static async start({ shards = 2, gateways = 2, options = [] } = {}) {
    const cluster = new Cluster();
    try {
      await cluster.#start(shards, gateways, options);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** @param {number} shards @param {number} gateways @param {string[]} options */
  async #start(shards, gateways, options) {
    if (!existsSync(join(BUILD, 'tessera-gateway'))) throw new Error(`${BUILD}/tessera-gateway is not there: run make first`);
    this.dir = await mkdtemp(join(tmpdir(), 'tessera-browser-'));
    const port = (this.#port = await freePort());
    this.#redis = this.#run('redis', [
      'deploy/redis/start', this.dir, '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'yes',
      '--appendfsync', 'always', '--maxmemory-policy', 'noeviction',
    ]);
    await this.#until(this.#redis, () => answers(port));
    const common = [`--redis=127.0.0.1:${port}`, ...options];
    for (let i = 0; i < shards; i++) {
      const metrics = await freePort();
      const shard = this.#run(`shard-${i}`, [join(BUILD, 'tessera-shard'), `--metrics=127.0.0.1:${metrics}`, ...common]);
      shard.ready = `http://127.0.0.1:${metrics}/readyz`;
      this.shards.push(shard);
    }
    for (let i = 0; i < gateways; i++) {
      const listen = await freePort();
      const gateway = this.#run(`gateway-${i}`, [
        join(BUILD, 'tessera-gateway'), `--listen=127.0.0.1:${listen}`, `--metrics=127.0.0.1:${await freePort()}`,
        '--web-dir=web', '--sessions-per-minute=0', '--drain-spread=300ms', '--drain-timeout=3s', ...common,
      ]);
      gateway.url = `http://127.0.0.1:${listen}/`;
      gateway.ready = `${gateway.url}readyz`;
      this.gateways.push(gateway);
    }
    for (const it of [...this.shards, ...this.gateways]) await this.#until(it, () => isReady(it.ready));
  }

  /** @param {Running} it @param {NodeJS.Signals} signal  and waits for its end */
  async end(it, signal) {
    if (it.child.exitCode !== null || it.child.signalCode !== null) return;
    const ended = new Promise((done) => it.child.once('exit', done));
    it.child.kill(signal);
    await ended;
  }

  /** Starts what has ended once more, as it was, and waits until it is ready. @param {Running} it */
  async again(it) {
    it.child = this.#spawn(it.name, it.command);
    await this.#until(it, () => isReady(it.ready));
  }

  /** Another cooldown, taken up by restarting everything but Redis. @param {number} ms */
  async setCooldown(ms) {
    for (const it of [...this.gateways, ...this.shards]) await this.end(it, 'SIGTERM');
    await talk(this.#port, [`HSET {cluster}:config cooldown_ms ${ms}`, 'HINCRBY {cluster}:config version 1']);
    for (const it of [...this.shards, ...this.gateways]) await this.again(it);
  }

  async stop() {
    for (const it of [...this.gateways, ...this.shards, this.#redis]) if (it) await this.end(it, 'SIGKILL');
    if (this.dir) await rm(this.dir, { recursive: true, force: true });
  }

  /** @param {string} name @param {string[]} command @returns {Running} */
  #run(name, command) {
    return { name, command, child: this.#spawn(name, command), url: '', ready: '' };
  }

  /** @param {string} name @param {string[]} command */
  #spawn(name, [program, ...args]) {
    const log = openSync(join(this.dir, `${name}.log`), 'a');
    const child = spawn(program, args, { cwd: ROOT, env: this.#environment(name), stdio: ['ignore', log, log] });
    closeSync(log);
    children.add(child);
    child.on('exit', () => children.delete(child));
    child.on('error', () => children.delete(child));
    return child;
  }

  /** The programs refuse variables that they do not know. @param {string} name */
  #environment(name) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('TESSERA_')));
    if (name === 'redis') return env;
    return { ...env, TESSERA_CLUSTER_SECRET: this.#clusterSecret, ...(name.startsWith('gateway') ? { TESSERA_TOKEN_KEYS: this.#tokenKeys } : {}) };
  }

  /** @param {Running} it @param {() => Promise<unknown>} good */
  async #until(it, good) {
    for (const end = Date.now() + READY_MS; Date.now() < end; await sleep(30)) {
      if (it.child.exitCode !== null) break;
      if (await good()) return;
    }
    const log = await readFile(join(this.dir, `${it.name}.log`), 'utf8').catch(() => '');
    throw new Error(`${it.name} does not get ready:\n${log.split('\n').slice(-12).join('\n')}`);
  }
}
