// The management API as the administrator of a started server.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ADMIN } from './server.mjs';

const run = promisify(execFile);

/** Gives a function that sends a request and returns the parsed answer of a success. */
export async function management(server) {
  const { management: origin } = await server.ready;
  const { stdout } = await run(process.env.GATEWRIGHT_BINARY, ['token', 'create', '--user', ADMIN.email, '--name', 'browser tests', '--data-dir', server.dataDir], { env: server.env });
  const authorization = `Bearer ${stdout.trim()}`;
  return async (method, path, body) => {
    const answer = await fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return text ? JSON.parse(text) : null;
  };
}

/** Somebody new, with a role in the whole tenant or with none. */
export async function person(api, name, role) {
  const somebody = { email: `${name}@example.com`, password: 'another few plain words' };
  await api('POST', '/users', { ...somebody, name: name.replaceAll(/[-_]/g, ' ') });
  if (role) await api('POST', '/members', { user: somebody.email, role });
  return somebody;
}
