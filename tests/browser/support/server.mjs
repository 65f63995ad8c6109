// Starts the real binary on free ports and a fresh data directory.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CLUSTER, SQLITE, cluster } from './stores.mjs';

export const ADMIN = { email: 'admin@example.com', password: 'three plain words here' };
const START_MS = 60_000;
const STOP_MS = 15_000;

const binary = () => {
  const path = process.env.GATEWRIGHT_BINARY;
  if (!path) throw new Error('GATEWRIGHT_BINARY must name the built binary');
  return path;
};

const directory = () => mkdtemp(join(tmpdir(), 'gatewright-browser-'));

/** One process. */
function run({ command, dataDir, args, env, listen = {} }) {
  const flags = ['gateway', 'management', 'portal', 'status'].flatMap((role) => [`--${role}-listen`, listen[role] ?? '127.0.0.1:0']);
  const child = spawn(binary(), [command, ...flags, '--data-dir', dataDir, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  const waiting = new Set();
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    for (const look of waiting) look(line);
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lineOf = (pattern, stream) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${pattern} in time:\n${log.join('\n')}`)), START_MS);
      const found = (line) => {
        const match = pattern.exec(line);
        if (match) {
          clearTimeout(timer);
          waiting.delete(found);
          resolve(match);
        }
      };
      ended.then((code) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code}:\n${log.join('\n')}`));
      });
      if (stream) createInterface({ input: stream }).on('line', found);
      else {
        waiting.add(found);
        log.forEach(found);
      }
    });
  const ready = lineOf(/^\{.*"event":"ready".*\}$/, child.stdout).then(([line]) => JSON.parse(line));
  ready.catch(() => {});
  return {
    dataDir,
    log,
    pid: child.pid,
    /** The addresses, once every role serves. */
    ready,
    /** Waits for a line of the log. */
    logged: (pattern) => lineOf(pattern),
    /** Ends the process; its data directory stays. */
    async end() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * A running Gatewright.
 * @param {{command?: 'serve' | 'demo', admin?: boolean, store?: string, databaseUrl?: string, redisUrl?: string, dataDir?: string, listen?: object, env?: object, args?: string[]}} options
 *   `store` is one of `STORES`; addresses may be given in its place
 */
export async function start(options = {}) {
  const { command = 'serve', admin = true, store = SQLITE, args = [] } = options;
  const dataDir = options.dataDir ?? (await directory());
  const env = { ...process.env, ...options.env };
  if (admin) {
    env.GATEWRIGHT_ADMIN_EMAIL = ADMIN.email;
    env.GATEWRIGHT_ADMIN_PASSWORD = ADMIN.password;
  }
  const { databaseUrl, redisUrl } = store === CLUSTER ? await cluster() : options;
  if (databaseUrl) {
    env.GATEWRIGHT_DATABASE_URL = databaseUrl;
    env.GATEWRIGHT_REDIS_URL = redisUrl;
    env.GATEWRIGHT_MASTER_KEY = Buffer.alloc(32, 7).toString('base64');
  }
  const nodes = [];
  const first = run({ command, dataDir, args, env, listen: options.listen });
  return {
    ...first,
    databaseUrl,
    /** What another command on the same stores needs. */
    env,
    /** Another process on the same stores; it is stopped with this one. */
    async node(roles) {
      await first.ready;
      const node = run({ command: 'serve', dataDir: await directory(), args: ['--roles', roles], env });
      nodes.push(node);
      return node.ready;
    },
    async stop() {
      for (const process of [...nodes, first]) {
        await process.end();
        await rm(process.dataDir, { recursive: true, force: true });
      }
    },
  };
}
