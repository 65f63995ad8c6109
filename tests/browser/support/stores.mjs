// The stores that a server is started on: SQLite alone, or Postgres and Redis.
import { execFile } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { TEST_DATABASE_URL, TEST_REDIS_URL, GATEWRIGHT_REQUIRE_POSTGRES } = process.env;

export const SQLITE = 'SQLite';
export const CLUSTER = 'Postgres and Redis';

/** What can be had here. */
export const STORES = TEST_DATABASE_URL && TEST_REDIS_URL ? [SQLITE, CLUSTER] : [SQLITE];
if (STORES.length === 1) {
  if (GATEWRIGHT_REQUIRE_POSTGRES) throw new Error('TEST_DATABASE_URL and TEST_REDIS_URL must name a server each');
  console.log('SKIPPED: pages on Postgres and Redis; TEST_DATABASE_URL and TEST_REDIS_URL are not set');
}

let made = 0;

/** A new, empty database and a Redis to go with it. */
export async function cluster() {
  made += 1;
  const name = `gatewright_browser_${process.pid}_${made}`;
  await sql(TEST_DATABASE_URL, `CREATE DATABASE ${name}`);
  const database = new URL(TEST_DATABASE_URL);
  database.pathname = `/${name}`;
  return { databaseUrl: database.href, redisUrl: TEST_REDIS_URL };
}

/** Runs a statement past the product. */
export async function sql(url, statement) {
  const { stdout } = await run('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', statement]);
  return stdout.trim();
}

/**
 * A way to a server that can be cut and joined again, as a network is.
 * @returns {Promise<{url: string, cut(): Promise<void>, join(): Promise<void>}>}
 */
export async function wayTo(url) {
  const target = new URL(url);
  const open = new Set();
  let port = 0;
  let listener;
  const join = async () => {
    listener = createServer((near) => {
      const far = connect(Number(target.port), target.hostname);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        open.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          open.delete(one);
          other.destroy();
        });
      }
    });
    await new Promise((done) => listener.listen(port, '127.0.0.1', done));
    ({ port } = listener.address());
  };
  await join();
  const way = new URL(url);
  way.hostname = '127.0.0.1';
  way.port = port;
  return {
    url: way.href,
    join,
    async cut() {
      const closed = new Promise((done) => listener.close(done));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
