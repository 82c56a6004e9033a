/**
 * Runs one step of the plan: says what it does, keeps quiet while all is well, shows the command's own
 * words when it fails.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { localNodePath } from './facts.mjs';

/**
 * @param {string} root
 * @param {import('./plan.mjs').Step} step
 * @returns {Promise<string | undefined>} what to tell the user when it failed
 */
export async function perform(root, step) {
  const startedAt = Date.now();
  process.stderr.write(`dibs setup: ${step.title} ... `);
  for (const command of step.commands) {
    const failure = await execute(root, command);
    if (failure === undefined || command.mayFail) continue;
    process.stderr.write('failed\n');
    return `${failure}\n\n${step.remedy}`;
  }
  if (step.kind === 'node') linkLocalNode(root);
  process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return undefined;
}

/**
 * @param {string} root
 * @param {import('./plan.mjs').Command} command
 */
async function execute(root, command) {
  const [file = '', ...args] = command.argv;
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...command.env, PATH: pathWithoutLocalBin(root) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: Ctrl-C reaches us alone, and we end the whole of it (below).
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  const interrupt = () => endAll(child.pid, 'SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
  /** @type {number | null | Error} */
  const ended = await new Promise((resolve) => {
    child.once('error', resolve);
    child.once('close', (code) => resolve(code));
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, interrupt);
  if (interrupted) {
    // npm leaves helpers behind; a second run must not meet them in node_modules.
    endAll(child.pid, 'SIGKILL');
    process.stderr.write('interrupted\n');
    process.exit(130);
  }
  if (ended === 0) return undefined;
  return `${command.argv.join(' ')}\n${ended instanceof Error ? ended.message : excerpt(output)}`;
}

let interrupted = false;

/** Ends a command with all it has started. */
function endAll(/** @type {number | undefined} */ pid, /** @type {NodeJS.Signals} */ signal) {
  interrupted = true;
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // It is over.
  }
}

/** npm says what is wrong first, apt says it last. */
function excerpt(/** @type {string} */ output) {
  const lines = output.trim().split('\n');
  if (lines.length <= 20) return lines.join('\n');
  return [...lines.slice(0, 8), '…', ...lines.slice(-10)].join('\n');
}

/** `npm ci` deletes node_modules while it runs, so npm itself must not run on the Node in there. */
function pathWithoutLocalBin(/** @type {string} */ root) {
  const local = join(root, 'node_modules', '.bin');
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== local)
    .join(delimiter);
}

/**
 * npm links the package's binary into node_modules/.bin; where it is configured not to (bin-links=false),
 * the link is made here.
 *
 * @param {string} root
 */
function linkLocalNode(root) {
  const link = localNodePath(root);
  if (existsSync(link)) return;
  const suffix = `${process.platform}-${process.arch}`;
  for (const name of [`node-${suffix}`, `node-bin-${suffix}`]) {
    const manifest = join(root, 'node_modules', name, 'package.json');
    if (!existsSync(manifest)) continue;
    const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join('..', name, typeof bin === 'string' ? bin : bin.node), link);
    return;
  }
}
