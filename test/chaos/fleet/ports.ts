/**
 * Loopback ports for servers that come back on the same one.
 *
 * They lie below the range from which the system takes ports for outgoing connections: while a server is down, no
 * connection of another process may sit on its port (or, dialling it, meet itself).
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const FIRST = 10_000;
const USUAL_OUTGOING_FROM = 32_768;

const given = new Set<number>();
let next = 0;

/** A port nobody listens on and this process has not given out before. */
export async function steadyPort(): Promise<number> {
  const count = outgoingFrom() - FIRST;
  // Harnesses at the same time look in different places.
  if (next === 0) next = (process.pid * 97) % count;
  for (let tried = 0; tried < count; tried += 1) {
    const port = FIRST + (next++ % count);
    if (!given.has(port) && (await isFree(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error('No free loopback port.');
}

function outgoingFrom(): number {
  try {
    const [low] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/);
    return Math.max(Number(low), FIRST + 1_000);
  } catch {
    return USUAL_OUTGOING_FROM;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
